"""A module a lesson: `lesson_NN.py` holds what it draws and shows, and the checks of its exercises."""
