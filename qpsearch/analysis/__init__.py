"""Answers from a study's rows: tables first, figures from tables. Only reads; never trains."""
