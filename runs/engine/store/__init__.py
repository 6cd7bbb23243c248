"""All hand-written SQL of the engine: claims, journals, workers. Every transaction opens through ``connection``."""
