"""Training of neural networks, the same for every model that has one: `trainer.Trainer` and its parts."""
