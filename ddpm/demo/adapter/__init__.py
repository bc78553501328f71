"""Ties the parts of the page to Gradio; no other script knows it."""
