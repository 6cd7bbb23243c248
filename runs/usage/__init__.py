"""What runs take of language models: sums, prices, budgets."""
