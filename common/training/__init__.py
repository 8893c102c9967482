"""Training of neural networks, alike for every stage that has one: `loop.train` and what it is made of."""
