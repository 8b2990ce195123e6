"""The dialogues of compare.py as an Inspect task: each turn's messages are added, the model answers, and so on."""
import json
import os

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser
from inspect_ai.scorer import includes
from inspect_ai.solver import solver

KINDS = {"system": ChatMessageSystem, "user": ChatMessageUser}


def as_messages(turn):
    return [KINDS[message["role"]](content=message["content"]) for message in turn]


@solver
def scripted_dialogue():
    async def solve(state, generate):
        for turn in state.metadata["turns"]:
            state.messages.extend(as_messages(turn))
            state = await generate(state)
        return state

    return solve


@task
def dialogues():
    with open(os.environ["SORTIE_PEERS_DIALOGUES"], encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    samples = [Sample(id=line["id"], input=line["turns"][0][-1]["content"], target="<", metadata=line) for line in lines]
    for sample in samples:
        # The first turn is the sample's input in Inspect's sense; the solver adds all turns itself.
        sample.input = []
    return Task(dataset=samples, solver=scripted_dialogue(), scorer=includes())
