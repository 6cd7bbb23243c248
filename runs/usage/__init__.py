"""Usage of language models by runs: sums, prices, budgets."""
