"""The pages in a real browser, over the whole installation."""
