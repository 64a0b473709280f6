"""The steps that a flow is made of."""
