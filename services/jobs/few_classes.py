"""What would fit a dataset of too few classes. Pure; knows how many there are, and no dataset."""

from models.spec import LabelledSpec

TURNS = 4  # `rotations` makes this many classes of one


def fewer_ways(tasks: LabelledSpec, classes: int) -> tuple[str, str]:
    """Which field to change where a dataset has too few classes, and to what."""
    turns = TURNS if tasks.rotations else 1
    most = max((way for way in range(2, classes) if way + -(-way // turns) <= classes), default=0)
    if not most:
        return "/tasks/dataset", ": where classes mean the same in every task, the family is grouped"
    if tasks.train_ways is not None and tasks.fewest_ways <= most:
        return "/tasks/train_ways", ": lower train_ways, or set it to null to train with n_way"
    name = "n_way" if tasks.max_way is None else "min_way"
    null = " and train_ways to null" if tasks.train_ways else ""
    return f"/tasks/{name}", f": set {name} to {most} at most{null}"
