"""The study: does pretraining earn its place on real motion, beside what a user would take otherwise?"""
