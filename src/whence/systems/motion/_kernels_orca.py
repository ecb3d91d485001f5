"""Optimal reciprocal collision avoidance, compiled: all scenes, all steps.

Each agent takes, of the velocities that avoid every other for a time tau if both do half of the avoiding, the one
nearest to the velocity it prefers (van den Berg, Guy, Lin and Manocha 2011, "Reciprocal n-body collision avoidance",
sections 4 and 5). A permitted half plane is kept as a point on its border and the border's unit direction, with the
permitted side on the left: columns point x, point y, direction x, direction y.
"""

from __future__ import annotations

import math

import numpy as np

from whence.compile import kernel

_TINY = 1e-5


@kernel("void(float64, float64, float64, float64, float64, float64, float64, float64, float64[:,::1], int64)")
def half_plane(px, py, vx, vy, ux, uy, reach, tau, planes, k):  # type: ignore[no-untyped-def]
    """Write the half plane that one neighbour leaves.

    ``p`` is the way to the neighbour, ``v`` the relative velocity, ``u`` the own velocity, ``reach`` the sum of the two
    radii; ``tau`` the time ahead, or one step where the two overlap already.
    """
    distance2 = px * px + py * py
    wx, wy = vx - px / tau, vy - py / tau  # from the centre of the cut-off disc
    w2 = wx * wx + wy * wy
    along = wx * px + wy * py
    if distance2 <= reach * reach or (along < 0.0 and along * along > reach * reach * w2):
        length = max(math.sqrt(w2), 1e-12)
        nx, ny = wx / length, wy / length
        dx, dy = ny, -nx
        push = reach / tau - length
        cx, cy = push * nx, push * ny
    else:  # nearest to one of the legs of the cone
        leg = math.sqrt(distance2 - reach * reach)
        if px * wy - py * wx > 0.0:
            dx, dy = (px * leg - py * reach) / distance2, (px * reach + py * leg) / distance2
        else:
            dx, dy = -(px * leg + py * reach) / distance2, -(py * leg - px * reach) / distance2
        onto = vx * dx + vy * dy
        cx, cy = onto * dx - vx, onto * dy - vy
    planes[k, 0], planes[k, 1] = ux + 0.5 * cx, uy + 0.5 * cy
    planes[k, 2], planes[k, 3] = dx, dy


@kernel("boolean(float64[:,::1], int64, float64, float64, float64, boolean, float64[::1])")
def on_border(planes, k, most, wx, wy, direction, found):  # type: ignore[no-untyped-def]
    """Write the best velocity on the border of half plane ``k`` that the earlier ones and the speed limit permit.

    The best is nearest to ``w``, or with ``direction`` furthest along it. Return False if there is none.
    """
    qx, qy, dx, dy = planes[k, 0], planes[k, 1], planes[k, 2], planes[k, 3]
    middle = qx * dx + qy * dy
    root = middle * middle + most * most - qx * qx - qy * qy
    if root < 0.0:
        return False
    low, high = -middle - math.sqrt(root), -middle + math.sqrt(root)
    for j in range(k):
        cross = dx * planes[j, 3] - dy * planes[j, 2]
        offset = planes[j, 2] * (qy - planes[j, 1]) - planes[j, 3] * (qx - planes[j, 0])
        if abs(cross) <= _TINY:  # parallel: all of the border or nothing of it
            if offset < 0.0:
                return False
            continue
        t = offset / cross
        if cross >= 0.0:
            high = min(high, t)
        else:
            low = max(low, t)
        if low > high:
            return False
    if direction:
        t = high if wx * dx + wy * dy > 0.0 else low
    else:
        t = min(max(dx * (wx - qx) + dy * (wy - qy), low), high)
    found[0], found[1] = qx + t * dx, qy + t * dy
    return True


@kernel("int64(float64[:,::1], int64, float64, float64, float64, boolean, float64[::1])")
def best_velocity(planes, count, most, wx, wy, direction, found):  # type: ignore[no-untyped-def]
    """Write the best velocity under the first ``count`` half planes; return how many it obeys before one is void."""
    if direction:
        found[0], found[1] = wx * most, wy * most
    else:
        speed = math.sqrt(wx * wx + wy * wy)
        shrink = most / speed if speed > most else 1.0
        found[0], found[1] = wx * shrink, wy * shrink
    for k in range(count):
        outside = planes[k, 2] * (planes[k, 1] - found[1]) - planes[k, 3] * (planes[k, 0] - found[0])
        if outside > 0.0:
            old_x, old_y = found[0], found[1]
            if not on_border(planes, k, most, wx, wy, direction, found):
                found[0], found[1] = old_x, old_y
                return k
    return count


@kernel("void(float64[:,::1], int64, int64, float64, float64[::1], float64[:,::1])")
def least_violation(planes, count, begin, most, found, work):  # type: ignore[no-untyped-def]
    """Write the velocity whose worst violation of a half plane is least, where no velocity obeys them all."""
    worst = 0.0
    for k in range(begin, count):
        dx, dy = planes[k, 2], planes[k, 3]
        if dx * (planes[k, 1] - found[1]) - dy * (planes[k, 0] - found[0]) <= worst:
            continue
        used = 0
        for j in range(k):  # velocities that violate j no more than k
            ex, ey = planes[j, 2], planes[j, 3]
            cross = dx * ey - dy * ex
            if abs(cross) <= _TINY:
                if dx * ex + dy * ey > 0.0:
                    continue
                qx, qy = 0.5 * (planes[k, 0] + planes[j, 0]), 0.5 * (planes[k, 1] + planes[j, 1])
            else:
                t = (ex * (planes[k, 1] - planes[j, 1]) - ey * (planes[k, 0] - planes[j, 0])) / cross
                qx, qy = planes[k, 0] + t * dx, planes[k, 1] + t * dy
            length = max(math.sqrt((ex - dx) ** 2 + (ey - dy) ** 2), 1e-12)
            work[used, 0], work[used, 1] = qx, qy
            work[used, 2], work[used, 3] = (ex - dx) / length, (ey - dy) / length
            used += 1
        old_x, old_y = found[0], found[1]
        if best_velocity(work, used, most, -dy, dx, True, found) < used:
            found[0], found[1] = old_x, old_y
        worst = dx * (planes[k, 1] - found[1]) - dy * (planes[k, 0] - found[0])


@kernel(
    "void(float64[:,:,::1], float64[:,:,::1], float64[:,::1], float64, float64, int64, float64, float64, int64, "
    "float64[:,:,:,::1])"
)
def simulate(starts, goals, radii, horizon, tick, ticks, speed, near, neighbours, places):  # type: ignore[no-untyped-def]
    """Fill ``places`` of shape (S, N, T, 2): all scenes from rest, one record every ``ticks`` ticks.

    ``starts`` and ``goals`` have shape (S, N, 2); ``radii`` of shape (S, T - 1) is the radius between two records.
    """
    scenes, agents, records, _ = places.shape
    planes, work = np.empty((agents, 4)), np.empty((agents, 4))
    order, gap = np.empty(agents, np.int64), np.empty(agents)
    at, velocity, new = np.empty((agents, 2)), np.empty((agents, 2)), np.empty((agents, 2))
    found = np.empty(2)
    for s in range(scenes):
        at[:] = starts[s]
        velocity[:] = 0.0
        places[s, :, 0] = at
        for record in range(1, records):
            reach = 2.0 * radii[s, record - 1]
            for _tick in range(ticks):
                for a in range(agents):
                    count = 0  # the nearest neighbours, nearest first
                    for b in range(agents):
                        if b == a:
                            continue
                        away = (at[b, 0] - at[a, 0]) ** 2 + (at[b, 1] - at[a, 1]) ** 2
                        if away >= near * near or (count == neighbours and away >= gap[count - 1]):
                            continue
                        place = min(count, neighbours - 1)
                        while place > 0 and gap[place - 1] > away:
                            gap[place], order[place] = gap[place - 1], order[place - 1]
                            place -= 1
                        gap[place], order[place] = away, b
                        count = min(count + 1, neighbours)
                    for k in range(count):
                        b = order[k]
                        ahead = tick if gap[k] <= reach * reach else horizon
                        half_plane(
                            at[b, 0] - at[a, 0],
                            at[b, 1] - at[a, 1],
                            velocity[a, 0] - velocity[b, 0],
                            velocity[a, 1] - velocity[b, 1],
                            velocity[a, 0],
                            velocity[a, 1],
                            reach,
                            ahead,
                            planes,
                            k,
                        )
                    gx, gy = goals[s, a, 0] - at[a, 0], goals[s, a, 1] - at[a, 1]
                    length = math.sqrt(gx * gx + gy * gy)
                    scale = speed / length if length > speed else 1.0  # slower within the last second
                    obeyed = best_velocity(planes, count, speed, gx * scale, gy * scale, False, found)
                    if obeyed < count:
                        least_violation(planes, count, obeyed, speed, found, work)
                    new[a, 0], new[a, 1] = found[0], found[1]
                for a in range(agents):
                    velocity[a, 0], velocity[a, 1] = new[a, 0], new[a, 1]
                    at[a, 0] += tick * new[a, 0]
                    at[a, 1] += tick * new[a, 1]
            places[s, :, record] = at
