"""What programs call the parts of a body: tables that `joint_names` reads the names of a file by.

All names are in lower case, letters and digits only, without side, prefix and suffix: `thigh` stands for ``LThigh``,
``mixamorig:thigh.L`` and ``l_thigh_4X4``. A name can be of several parts; which it is depends on the other names.
"""

from __future__ import annotations

Table = dict[str, tuple[str, ...]]
"""Body part to its names, best first."""

SIDED_PARTS: Table = {
    "foot": ("toebase", "toes", "toe", "toe0", "toe1", "toe01", "bigtoe", "footindex", "ball", "footend", "ankleend"),
    "ankle": ("ankle", "foot"),
    "knee": ("knee", "shin", "shank", "calf", "lowerleg", "lowleg", "leglower", "lowerleg01", "tibia", "leg"),
    "hip": ("upleg", "upperleg", "legupper", "upperleg01", "thigh", "thighbend", "femur", "hip", "hipjoint", "hjc"),
    "elbow": ("elbow", "forearm", "forearmbend", "lowerarm", "lowarm", "armlower", "lowerarm01", "farm", "larm",
              "radius"),
    "shoulder": ("upperarm", "uparm", "armupper", "upperarm01", "uarm", "humerus", "arm", "shldrbend", "shldr",
                 "shoulder"),
    "collar": ("collar", "clavicle", "collarbone", "scapula", "shoulder", "shoulder1", "shoulder01"),
    "wrist": ("wrist", "hand", "palm"),
    "hand": ("mid1", "handmid1", "middle1", "handmiddle1", "middle01", "middlefinger1", "middleproximal", "fingers",
             "index1", "handindex1", "index01", "index", "finger1", "finger2"),
    "hand_tip": ("handtip", "handend", "handmiddle4", "wristend"),
    "thumb": ("handthumb4", "thumb3", "handthumb3", "thumb03", "thumbfinger3", "thumbdistal", "thumb2", "handthumb2",
              "thumb02", "thumb1", "handthumb1", "thumb01", "thumb", "finger0"),
    "eye": ("eye",),
    "ear": ("ear",),
}  # fmt: skip
"""Body parts of a side. A joint is used once: ``LeftShoulder`` is the collar where there is a ``LeftArm``, else the
shoulder; ``LeftFoot`` is the ankle where there is no ``LeftAnkle``."""

MIDDLE_PARTS: Table = {
    "head": ("head", "centerhead", "headcenter"),
    "neck": ("neck", "neck1", "neck01", "necktwist01", "necklower", "lowerneck", "necknose"),
    "nose": ("nose",),
    "pelvis": ("pelvis", "hips", "hip", "hipcenter", "centerhip", "midhip", "midhips", "bodycenter", "root",
               "spinebase", "baseofspine", "subject"),
    "chest": ("chest", "spinechest", "chestspine", "thorax", "spineshoulder", "shouldercenter", "centershoulder",
              "upperchest", "chestupper", "t8", "spine3", "spine2", "spine02", "spine1", "spine01"),
    "spine": ("spinemid", "middleofspine", "spine", "spinenavel", "navalspine", "navelspine", "abdomen", "ab",
              "abdomenupper", "waist", "torso", "l3", "lowerback", "spine01", "spine1"),
}  # fmt: skip
"""Body parts in the middle. ``subject`` stands for a joint that is called like the subject, as Motive calls hips."""

THEIA_NAMES = {"shank", "uarm", "larm", "torso"}
"""Where all of these are there the torso, whose origin is where the arms meet, is the chest."""

BONE_END_PARTS: Table = {
    "hip": ("hipjoint",),
    "knee": ("femur",),
    "ankle": ("tibia",),
    "foot": ("foot",),
    "shoulder": ("clavicle",),
    "elbow": ("humerus",),
    "wrist": ("wrist", "radius"),
    "hand": ("hand",),
    "hand_tip": ("fingers",),
    "thumb": ("thumb",),
}
"""Acclaim bones by the body part at their far end. Its lwrist is the second half of the forearm."""

SIDED_CENTRES: Table = {
    "hip": ("hjc", "fep"),
    "knee": ("kjc", "feo"),
    "ankle": ("ajc", "tio"),
    "foot": ("foo",),
    "shoulder": ("sjc", "clo"),
    "elbow": ("ejc", "huo"),
    "wrist": ("wjc", "rao"),
    "hand": ("hno",),
}
MIDDLE_CENTRES: Table = {"head": ("hedo",), "chest": ("trxo",), "pelvis": ("pelo", "midhjc")}
"""Joint centres among the markers of a marker set: hip joint centre, ..., and the origins (O) and proximal ends (P)
of the segments that Plug-in Gait writes as points: LFEP, the proximal end of the femur, is the hip."""

MARKERS = frozenset({
    "ank", "ankleout", "asi", "asis", "backtop", "bak", "bhd", "c7", "cal", "calc", "chestlow", "chesttop", "clav",
    "elb", "elbowout", "fal", "fcc", "fhd", "fin", "fle", "fm1", "fm5", "fme", "frm", "ftc", "handin", "handout",
    "hdb", "hdf", "headfront", "headtop", "hee", "hle", "hm2", "hm5", "hme", "ias", "ips", "kne", "kneeout", "lfc",
    "lmal", "mfc", "mmal", "mt1", "mt2", "mt5", "psi", "psis", "rsp", "sacr", "sacrum", "shn", "sho", "shouldertop",
    "strn", "t10", "tam", "tb1", "th1", "th2", "th3", "thi", "thigh1", "thigh2", "thighfront", "tib", "ttc",
    "uarmhigh", "uhe", "upa", "waistcback", "waistlfront", "wra", "wrb", "wristout", "xiph",
})  # fmt: skip
"""Names that only markers on the skin have: Plug-in Gait, Helen Hayes, ISB, Motive."""
FEWEST_MARKERS = 3
"""With so many of them a file is of markers, and a ``knee`` in it is a marker too, not the joint."""
ANIMAL_WORDS = ("tail", "paw", "snout", "hoof", "wing", "beak", "whisker")
"""Parts that no person has."""
AUGMENTED = "study"
"""The end of the names of markers that OpenCap adds to its keypoints; they say nothing of the keypoints."""

NEEDED_PARTS = (
    "left_shoulder", "right_shoulder", "left_hip", "right_hip", "left_elbow", "right_elbow", "left_knee", "right_knee",
    "left_wrist", "right_wrist", "left_ankle", "right_ankle",
)  # fmt: skip
"""The parts that make a whole person: with them all others have substitutes."""

TRUNK_PARENTS: Table = {
    "spine": ("pelvis",),
    "upper_spine": ("spine", "pelvis"),
    "chest": ("upper_spine", "spine", "pelvis"),
    "neck": ("chest", "upper_spine", "spine", "pelvis"),
    "head": ("neck", "chest"),
    "nose": ("head", "neck"),
}
SIDED_PARENTS: Table = {
    "collar": ("chest", "neck", "spine"),
    "shoulder": ("collar", "chest", "neck", "head", "nose", "spine"),
    "elbow": ("shoulder",),
    "wrist": ("elbow",),
    "hand": ("wrist",),
    "hand_tip": ("hand", "wrist"),
    "thumb": ("wrist", "hand"),
    "hip": ("pelvis", "spine", "chest", "shoulder"),
    "knee": ("hip",),
    "ankle": ("knee",),
    "foot": ("ankle",),
    "eye": ("nose", "head"),
    "ear": ("eye", "nose", "head"),
}
"""What each part hangs on, the nearest first, in files that hold no hierarchy."""

CANONICAL_NAMES = (
    *MIDDLE_PARTS,
    "upper_spine",
    *(f"{side}_{part}" for side in ("left", "right") for part in SIDED_PARTS),
)
"""All canonical names."""
