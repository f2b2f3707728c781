"""What the lessons' notebooks import, a module a lesson: `from prefix_lab.course.lessons.lesson_05 import *`.

`lesson_NN.py` says what a lesson uses, and nothing else; `checks_NN.py` holds the checks of its exercises.
"""
