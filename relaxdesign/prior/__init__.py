"""The diffusion prior over relaxed fields: denoiser, schedule, data, training, file format."""
