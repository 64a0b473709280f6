"""Pipelines in the format of the reference: a folder with a pipeline for each kind of leaf, and its prompt files.

`load` reads and checks the folder and makes a flow of it: each block becomes a step of the block `reference`, whose
options hold everything that the files say, prompts included. While such a path runs, a row carries the columns that
the pipeline works on under `columns`; the first step makes them, the last one makes question and answer of them.
"""
