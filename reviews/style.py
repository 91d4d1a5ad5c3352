"""tmp"""


def normalise(text):
    return text
