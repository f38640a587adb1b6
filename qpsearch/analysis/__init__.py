"""Analyses of a study: tables from its rows, figures from the tables. Only reads; never trains."""
