"""CausalDiffAE (Komanduri et al. 2024, arXiv 2404.17735): a diffusion autoencoder with a causal code.

The small size runs on vectors: the four labels of the pendulum scene and twelve nuisances, mixed by a fixed network. It
holds the code, interventions, identity, missing labels and guidance against the generator's own answers. The full size
adds images: the pendulum scene on the same list, and Morpho-MNIST (``--data FOLDER`` with the files of
`whence.systems.vision.digits.read_morpho_mnist`) against a diffusion autoencoder without labels or causes and a
label-conditional diffusion model. Morpho-MNIST wants a GPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import whence as wh
from reproductions import Claim, Settings, main
from whence.parallel import fan_out
from whence.systems.vision import CausalDiffAE, Reader, digits, pendulum
from whence.systems.vision.evaluation import frechet_distance

SHADOW = slice(2, 4)
NO_EDGES = wh.Graph.from_edges([], pendulum.VARIABLES)
VECTORS = {"batch": 128, "learning_rate": 4e-3, "average": 0.998, "hidden": 320, "drop": 0.25}
IMAGES = {"steps": 2500, "channels": (24, 48), "patch": 2, "learning_rate": 2e-3}
MORPHO: dict[str, Any] = {
    "width": 32,
    "levels": 1000,
    "channels": (64, 128, 128),
    "blocks": 2,
    "attention": (1, 2),
    "batch": 128,
    "learning_rate": 3e-4,
    "average": 0.9995,
    "precision": "bf16",
    "device": "auto",
}


def experiment(settings: Settings) -> list[Claim]:
    import torch

    seed = settings.seed
    train, test = (pendulum.vectors(n, random_state=np.random.default_rng([seed, n])) for n in (16_000, 500))
    torch.set_num_threads(1)  # small networks lose by threads; the models train side by side instead
    claims = [*pendulum_claims("vectors", train, test, seed, **VECTORS), chain()]
    if settings.full:
        drawn = pendulum.scenes(4500, random_state=seed)
        train = pendulum.Scenes(drawn.X[:4000], drawn.labels[:4000])
        test = pendulum.Scenes(drawn.X[4000:], drawn.labels[4000:])
        claims += pendulum_claims("images", train, test, seed, **IMAGES)
        if settings.data is None:
            print("Morpho-MNIST is skipped: give its folder with --data.")
        else:
            claims += morpho(settings)
    return claims


def pendulum_claims(
    kind: str, train: pendulum.Scenes, test: pendulum.Scenes, seed: int, **settings: Any
) -> list[Claim]:
    """The list (a) to (f), with three models: all labels, no edges, labels on a tenth of the rows."""
    options = {**settings, "random_state": seed}
    tenth = np.random.default_rng([seed, 2]).random(len(train)) < 0.1
    tasks = [
        (CausalDiffAE(pendulum.GRAPH, **options), train, None),
        (CausalDiffAE(NO_EDGES, **options), train, None),
        (CausalDiffAE(pendulum.GRAPH, **options), train, tenth),
        (Reader(random_state=seed), train, None),
    ]
    model, alone, few, reader = fan_out(fitted, tasks, threads=False)
    return [
        *code(kind, model, few, test),
        *intervention(kind, model, alone, reader, test, seed),
        *identity(kind, model, test, seed),
        guidance(kind, model, reader, test),
    ]


def fitted(task: Any) -> Any:
    """Train one model in a process of its own, on one processor."""
    import torch

    torch.set_num_threads(1)
    model, rows, mask = task
    return model.fit(rows.X, rows.labels) if mask is None else model.fit(rows.X, rows.labels, label_mask=mask)


def code(kind: str, model: CausalDiffAE, few: CausalDiffAE, test: pendulum.Scenes) -> list[Claim]:
    whole = model.evaluate("r2", test.X, test.labels)
    part = few.evaluate("r2", test.X, test.labels)
    lost = max(whole[name] - part[name] for name in whole)
    return [
        Claim(f"{kind}: (a) R2 of each block of the code with its label", ">= 0.90", whole, min(whole.values()) >= 0.9),
        Claim(f"{kind}: (e) most R2 lost with labels on a tenth of the rows", "<= 0.15", lost, lost <= 0.15),
    ]


def intervention(
    kind: str, model: CausalDiffAE, alone: CausalDiffAE, reader: Reader, test: pendulum.Scenes, seed: int
) -> list[Claim]:
    """Give every pendulum the angle of another; the reader never saw a generated row."""
    do = {"angle": np.random.default_rng([seed, 3]).permutation(test.labels[:, 0])}
    wanted = pendulum.truth(test.labels, do)
    spread = test.labels.std(axis=0)
    changed = reader.read(model.counterfactual(test.X, do, steps=25))
    unmoved = reader.read(alone.counterfactual(test.X, do, steps=25))
    off = (np.abs(changed - wanted) / spread).mean(axis=0)[SHADOW]
    off_alone = (np.abs(unmoved - wanted) / spread).mean(axis=0)[SHADOW]
    floor = (np.abs(reader.read(test.X) - test.labels) / spread).mean(axis=0)[SHADOW]
    light = float((np.abs(changed - reader.read(test.X)) / spread).mean(axis=0)[1])
    ratio = float(off.mean() / off_alone.mean())
    measured = {"length": off[0], "position": off[1], "the reader's own error on real rows": floor.tolist()}
    return [
        Claim(f"{kind}: (b) error of the shadow under do(angle), in sd", "<= 0.35", measured, bool(off.max() <= 0.35)),
        Claim(f"{kind}: (b) that error over a model's without edges", "<= 0.5", ratio, ratio <= 0.5),
        Claim(f"{kind}: (c) movement of the light under do(angle), in sd", "<= 0.15", light, light <= 0.15),
    ]


def identity(kind: str, model: CausalDiffAE, test: pendulum.Scenes, seed: int) -> list[Claim]:
    found = model.evaluate("identity", test.X, test.labels, steps=25, random_state=seed)
    ratio = found["noise"] / found["ddim"]
    return [
        Claim(f"{kind}: (d) relative error of do(own value)", "<= 0.10", found["ddim"], found["ddim"] <= 0.10),
        Claim(f"{kind}: (d) that error from random noise, as a multiple", ">= 2", ratio, ratio >= 2),
    ]


def guidance(kind: str, model: CausalDiffAE, reader: Reader, test: pendulum.Scenes) -> Claim:
    """Strengths 1, 2, 3 are the paper's w = 0, 1, 2."""
    read = {}
    for name, target in (("to the right", 30.0), ("to the left", -30.0)):
        drawn = [model.counterfactual(test.X, {"angle": target}, strength, steps=25) for strength in (1.0, 2.0, 3.0)]
        read[name] = [float(reader.read(rows)[:, 0].mean()) for rows in drawn]
    moves = all(np.diff(read["to the right"]) > 0) and all(np.diff(read["to the left"]) < 0)
    return Claim(f"{kind}: (f) mean angle read at w = 0, 1, 2", "monotone", read, moves)


def chain() -> Claim:
    """On A -> B -> C an intervention on A must reach C; fed with noises, as published, it cannot."""
    import torch

    from whence.nn import LatentSCM, reproducible

    graph = wh.Graph.from_edges(["A -> B", "B -> C"])
    moved = {}
    for parents in ("values", "noises"):
        with reproducible(0), torch.no_grad():
            scm = LatentSCM(graph, 4, parents=parents)  # type: ignore[arg-type]
            u = torch.randn(64, 3, 4)
            moved[parents] = float((scm.do(u, {"A": 1.0}) - scm(u))[:, 2].abs().max())
    return Claim("do(A) on A -> B -> C changes C", "> 0", moved, moved["values"] > 1e-3 and moved["noises"] == 0.0)


# ---- Morpho-MNIST ---------------------------------------------------------------------------------------------------


def morpho(settings: Settings, steps: int = 20_000) -> list[Claim]:
    """9,000 of the 10,000 published test images to train on, 1,000 to test; orderings of the paper's tables."""
    rows, classes = digits.read_morpho_mnist(settings.data or ".")
    chosen = np.random.default_rng(settings.seed).permutation(len(rows))
    first, rest = np.split(chosen, [9 * len(rows) // 10])
    train = pendulum.Scenes(rows.X[first], rows.labels[first])
    test = pendulum.Scenes(rows.X[rest], rows.labels[rest])
    reader = Reader(device="auto", random_state=settings.seed).fit(train.X, train.labels)
    options = {**MORPHO, "steps": steps, "random_state": settings.seed}
    causal = CausalDiffAE(digits.GRAPH, **options).fit(train.X, train.labels)
    plain = CausalDiffAE(wh.Graph.from_edges([], digits.VARIABLES), **options).fit(train.X)
    told = LabelDiffusion(**options).fit(train.X, train.labels)
    do = {"thickness": np.random.default_rng([settings.seed, 3]).permutation(test.labels[:, 0])}
    wanted, spread = digits.truth(test.labels, do), test.labels.std(axis=0)
    changed = {"CausalDiffAE": causal.counterfactual(test.X, do), "label-conditional": told.counterfactual(test, do)}
    off = {name: (np.abs(reader.read(X) - wanted) / spread).mean(axis=0) for name, X in changed.items()}
    likeness = {name: frechet_distance(reader.features(X), reader.features(train.X)) for name, X in changed.items()}
    dci = {name: model.evaluate("dci", test.X, test.labels) for name, model in (("causal", causal), ("plain", plain))}
    same = (
        {name: kept_class(train, classes, first, X, rest) for name, X in changed.items()} if classes is not None else {}
    )
    null = causal.evaluate("identity", test.X, test.labels)
    entangled = dci["plain"]["disentanglement"]
    intensity = {name: float(error[1]) for name, error in off.items()}
    return [
        Claim(
            "Morpho-MNIST: DCI, against no labels and no causes",
            "more",
            dci,
            dci["causal"]["disentanglement"] > entangled,
        ),
        Claim(
            "Morpho-MNIST: error of the intensity under do(thickness), in sd",
            "less than label-conditional",
            intensity,
            intensity["CausalDiffAE"] < intensity["label-conditional"],
        ),
        Claim(
            "Morpho-MNIST: error of the thickness itself, in sd",
            "reported",
            {name: float(error[0]) for name, error in off.items()},
            True,
        ),
        Claim("Morpho-MNIST: Fréchet distance of counterfactuals to real images", "reported", likeness, True),
        Claim("Morpho-MNIST: share of counterfactuals still read as their digit", "reported", same, True),
        Claim(
            "Morpho-MNIST: relative error of do(own value)",
            "half of that from noise",
            null,
            null["ddim"] < null["noise"] / 2,
        ),
    ]


def kept_class(train: pendulum.Scenes, classes: Any, first: Any, X: Any, rest: Any) -> float:
    from sklearn.neural_network import MLPClassifier

    judge = MLPClassifier(hidden_layer_sizes=(256,), max_iter=30, early_stopping=True, random_state=0)
    judge.fit(train.X.reshape(len(first), -1), classes[first])
    return float((judge.predict(X.reshape(len(rest), -1)) == classes[rest]).mean())


class LabelDiffusion:
    """A diffusion model told the labels: it can be asked for another label, and knows nothing of causes."""

    def __init__(self, *, levels: int, channels: Any, blocks: int, attention: Any, **training: Any) -> None:
        self.levels, self.network = levels, {"widths": channels, "blocks": blocks, "attention": attention}
        names = ("steps", "learning_rate", "average", "precision", "device", "random_state")
        self.training = {name: training[name] for name in names}
        self.batch = training["batch"]

    def fit(self, X: Any, labels: Any) -> LabelDiffusion:
        import torch

        from whence.nn import GaussianDiffusion, NoiseSchedule, UNet2d, fit, reproducible

        self.center, self.scale = labels.mean(axis=0), labels.std(axis=0)
        x = torch.from_numpy(2 * X - 1).float()
        c = self.code(labels)
        self.diffusion = GaussianDiffusion(NoiseSchedule(steps=self.levels))
        with reproducible(self.training["random_state"]):
            self.net = UNet2d(x.shape[1], c.shape[1], **self.network)

        def batches(generator: Any) -> Any:
            rows = torch.randint(len(x), (self.batch,), generator=generator)
            level = self.diffusion.draw_levels(self.batch, generator)
            return x[rows], c[rows], level, torch.randn(x[rows].shape, generator=generator)

        def loss(net: Any, batch: Any, step: int) -> Any:
            rows, labels, level, noise = batch
            return self.diffusion.loss(lambda x, t: net(x, t, labels), rows, level, noise).mean()

        fit(self.net, loss, batches, clip=1.0, schedule="cosine", **self.training)
        return self

    def code(self, labels: Any) -> Any:
        import torch

        return torch.from_numpy((labels - self.center) / self.scale).float()

    def counterfactual(self, rows: pendulum.Scenes, do: Any) -> Any:
        """Invert told the true labels, draw told the new thickness and the old intensity."""
        import torch

        place = next(self.net.parameters()).device
        levels = self.diffusion.schedule.levels(50)
        changed = rows.labels.copy()
        changed[:, 0] = do["thickness"]
        drawn = []
        with torch.no_grad():
            for part in np.array_split(np.arange(len(rows)), max(len(rows) // 500, 1)):
                x = torch.from_numpy(2 * rows.X[part] - 1).float().to(place)
                old, new = (self.code(labels[part]).to(place) for labels in (rows.labels, changed))
                noise = self.diffusion.invert(lambda x, t, c=old: self.net(x, t, c), x, levels, refine=5)
                out = self.diffusion.sample(lambda x, t, c=new: self.net(x, t, c), noise, levels)
                drawn.append((out.clamp(-1, 1).cpu().numpy() + 1) / 2)
        return np.concatenate(drawn)


if __name__ == "__main__":
    main(6, "causal-diffae", experiment)
