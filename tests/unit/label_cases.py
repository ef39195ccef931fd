"""Label files for tests of their formats, and what is compared of them."""

from __future__ import annotations

NEW = (
    "Observation id,Observation date,Source,FPS,Subject,Behavior,Behavioral category,Modifier #1,Modifier #2,"
    "Behavior type,Time,Media file name,Comment\n"
)
OLD = (
    "Observation id,obs\n\nPlayer #1,D:/films/walk.avi\n\nTime offset (s),2\n\n"
    "Time,Media file path,Total length,FPS,Subject,Behavior,Behavioral category,Comment,Status\n"
)
AGGREGATED = (
    "Observation id\tMedia file\ta\tSubject\tBehavior\tModifiers\tBehavior type\tStart (s)\tStop (s)\tDuration (s)\t"
    "Comment start\n"
)


LONG = '''File type = "ooTextFile"
Object class = "TextGrid"

xmin = 5
xmax = 9
tiers? <exists>
size = 2
item []:
    item[1]:
        class = "IntervalTier"
        name = "a ""tier"""
        xmin = 5
        xmax = 9
        intervals: size = 3
        intervals [1]
            xmin = 5
            xmax = 6.0000001
            text = "two ! 3 <exists>
lines"
        intervals [2]:
            xmin = 6
            xmax = 7
            text = ""
        intervals [3]:
            xmin = 7
            xmax = 9
            text = " z " ! a comment 4 "5"
    item [2]:
        class = "TextTier"
        name = "points"
        xmin = 5
        xmax = 9
        points: size = 1
        points [1]:
            number = 8.5
            mark = "p"
'''
SHORT = '''File type = "ooTextFile short"
"TextGrid"

5
9
<exists>
2
"IntervalTier"
"a ""tier"""
5
9
3
5
6.0000001
"two ! 3 <exists>
lines"
6
7
""
7
9
" z "
"TextTier"
"points"
5
9
1
8.5
"p"
'''


def written(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


def times(file):
    return [
        (row.tier, row.label, round(row.start, 6), None if row.end is None else round(row.end, 6)) for row in file.rows
    ]
