"""The one exception that tells a user what is wrong with their input and what to do about it."""


class InputError(ValueError):
    """Bad input from outside: a file, a field, a flag.

    The message is for the user: it names the file and the field, says what was found, what was expected and what
    to do. The command line prints it as one line and exits with code 2; from Python it is an ordinary ValueError.
    """
