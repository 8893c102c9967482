"""Training of neural networks, the same for every model that has one: `trainer.train_network` and its parts."""
