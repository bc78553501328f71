"""The page without a server: the same parts, with the models at work in the visitor's browser (see ../engine).

`python -m ddpm.demo.static.build dist` makes a folder that any file server serves.
"""
