"""The keys that search: a text in source lines and values, and the places where it was found, one after the other."""

import asyncio
from array import array

from prefix_lab.terminal.screen import ReplayScreen
from prefix_lab.terminal.visible import count_of


class Finding(ReplayScreen):
    """The search runs beside the screen: over a million steps it takes seconds."""

    def action_ask_search(self) -> None:
        self.ask("find", "text in a source line or a value", self.search, self.state.searched)

    def search(self, text: str) -> None:
        if not text:
            raise ValueError("Type a text that stands in a source line or in a value.")
        self.say("Searching …  Esc gives up.")
        self.run_worker(self.find_all(text), exclusive=True)

    async def find_all(self, text: str) -> None:
        state = self.state
        steps = await asyncio.to_thread(state.recording.find, text=text)
        state.searched, state.matches = text, array("I", [step.index for step in steps])
        if not steps:
            self.say(f"{text!r} was not found.")
            return
        found = state.next_match(here=True)
        state.goto(steps[0].index if found is None else found)
        self.show(self.told_of_match())

    def action_match(self, backwards: bool) -> None:
        found = self.state.next_match(backwards)
        if not self.state.matches:
            self.say("Nothing was found yet: / asks for a text.")
        elif found is None:
            which = "earlier" if backwards else "later"
            self.say(f"No {which} place; {count_of(len(self.state.matches), 'place')} in all.")
        else:
            self.goto(found)
            self.say(self.told_of_match())

    def told_of_match(self) -> str:
        state = self.state
        number = state.matches.index(state.index) + 1
        return f"{state.searched!r}: {number:,} of {count_of(len(state.matches), 'place')}.  . next  , previous"
