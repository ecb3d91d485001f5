"""Scripts that keep the project honest: rules and generated pages."""
