"""TrainRows and a base model become checkpoints."""
