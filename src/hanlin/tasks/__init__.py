"""Labelled tasks: for each, its data format, prompt, decoding and metric in one place."""

from hanlin.tasks.attacking import attack_task
from hanlin.tasks.base import (
    Encoded,
    Measured,
    Task,
    answer_limit,
    check_control,
    greedy,
    write_answers,
)
from hanlin.tasks.classify import Labelled, read_labelled
from hanlin.tasks.classifying import (
    Classified,
    calibrate_head,
    classify_texts,
    label_logits,
    measure_head,
)
from hanlin.tasks.labels import LabelSet, encode_text, gather_labels, part_labels
from hanlin.tasks.registry import TASKS, find_task, load_task
from hanlin.tasks.sets import TaskSet, gather_task, gather_tasks
from hanlin.tasks.sources import Message, Record, read_messages, read_records, read_turns
from hanlin.tasks.use import Conversation, Reply, Summary, summarize_text, translate_text
from hanlin.tasks.victims import HeadVictim, LabelVictim

__all__ = [
    "TASKS",
    "Classified",
    "Conversation",
    "Encoded",
    "HeadVictim",
    "LabelSet",
    "LabelVictim",
    "Labelled",
    "Measured",
    "Message",
    "Record",
    "Reply",
    "Summary",
    "Task",
    "TaskSet",
    "answer_limit",
    "attack_task",
    "calibrate_head",
    "check_control",
    "classify_texts",
    "encode_text",
    "find_task",
    "gather_labels",
    "gather_task",
    "gather_tasks",
    "greedy",
    "label_logits",
    "load_task",
    "measure_head",
    "part_labels",
    "read_labelled",
    "read_messages",
    "read_records",
    "read_turns",
    "summarize_text",
    "translate_text",
    "write_answers",
]
