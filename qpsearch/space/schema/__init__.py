"""What a space file may say."""
