"""Which of several arms is better, and how surely: named configurations, or arms that were tuned alike."""
