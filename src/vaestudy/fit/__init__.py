"""``vaestudy fit``: a file of the user's in; a model, its embedding and one HTML page out."""
