"""What networks would be on every device, before any of it is built: the grid, its points, fronts and budgets."""
