"""Motion forecasting that stays right when the place changes: scenes, simulator, forecaster, metrics."""
