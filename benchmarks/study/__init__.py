"""How accurate models are on real motion, with and without pretraining, beside what a user would take otherwise."""
