"""vaestudy: a study of variational autoencoders that runs itself."""

__version__ = "0.1.0"
