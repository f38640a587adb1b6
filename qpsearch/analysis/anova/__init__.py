"""A Bayesian functional ANOVA of a conditional space: shares of variance and effects, with posterior intervals."""
