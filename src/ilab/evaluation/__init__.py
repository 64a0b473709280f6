"""A model (and a judge) becomes a Scorecard."""
