"""What the page is made of; this folder and app.py are the only places that know gradio."""
