// Puts the parts of the page together. Each part is a class that gets the element it draws into and `page`, which has
// { store, clock, stage, transport, timeline, timelines, editor }; parts know each other by the store's events.

import { Clock } from "../../viewer/clock.js";
import { onThemeChange } from "../../viewer/colours.js";
import { byId } from "../../viewer/dom.js";
import { Timeline } from "../../viewer/timeline.js";
import { Transport } from "../../viewer/transport.js";
import { ComparePanel } from "./compare_panel.js";
import { showError } from "./dialog.js";
import { DropTarget } from "./drop.js";
import { Editor } from "./editor.js";
import { ExportPanel } from "./export_panel.js";
import { Keys } from "./keys.js";
import { LabelPanel } from "./label_panel.js";
import { RecordingList } from "./list.js";
import { Splitter } from "./splitter.js";
import { Stage } from "./stage.js";
import { Store } from "./store.js";
import { SuggestPanel } from "./suggest_panel.js";
import { Tabs } from "./tabs.js";
import { Timelines } from "./timelines.js";
import { Topbar } from "./topbar.js";
import { TrainPanel } from "./train_panel.js";

const FIRST_TRIES = 5; // recordings that are tried, where the first ones cannot be read
const TABS = [
  ["labels", "Labels", LabelPanel],
  ["suggestions", "Suggest", SuggestPanel],
  ["train", "Train", TrainPanel],
  ["compare", "Compare", ComparePanel],
  ["export", "Export", ExportPanel],
];

// The first recording of the list that can be read.
async function showFirst(store) {
  for (const id of store.order.slice(0, FIRST_TRIES)) {
    await store.show(id);
    if (store.recording || store.opening !== null) return; // another one may have been chosen meanwhile
  }
}

async function start() {
  const clock = new Clock();
  const store = new Store(clock);
  const page = { store, clock };
  page.transport = new Transport(byId("transport"), clock);
  page.timeline = new Timeline(byId("timeline"), clock);
  page.stage = new Stage(byId("stage"), page);
  page.editor = new Editor(page);
  page.timelines = new Timelines(byId("timeline"), page);
  page.topbar = new Topbar(byId("topbar"), page);
  page.list = new RecordingList(byId("list"), page);
  page.tabs = new Tabs(byId("side"), TABS, page);
  page.keys = new Keys(page);
  page.drop = new DropTarget(document.body, page);
  page.splitter = new Splitter(byId("timeline"));
  store.on("session", () => {
    const { editable, models, sets } = store.session;
    const isUsed = editable || models.length > 0 || sets.length > 0; // there is something to label, predict or compare
    document.body.classList.toggle("no-side", !isUsed);
  });
  store.on("recording", () => page.transport.show(store.recording.fps, store.recording.frames));
  onThemeChange(() => {
    page.stage.retheme();
    page.timeline.retheme();
  });
  try {
    await store.start();
    await showFirst(store);
  } catch (error) {
    showError(error);
  }
  document.documentElement.dataset.ready = "true";
}

start();
