"""Reading fields, labels and surfaces of strangers."""
