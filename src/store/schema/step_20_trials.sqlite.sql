-- Canaries, shadows and experiments: how far they are, and what their arms have counted by step. level: whose model it
-- is, empty for the general configuration. mark: all of its configuration. times: latencies, "slot:count slot:count".
CREATE TABLE trial (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 kind TEXT NOT NULL,
 level TEXT NOT NULL,
 model TEXT NOT NULL,
 mark TEXT NOT NULL,
 rival TEXT NOT NULL,
 state TEXT NOT NULL,
 reason TEXT NOT NULL,
 step INTEGER NOT NULL,
 steps INTEGER NOT NULL,
 step_since INTEGER NOT NULL,
 looks INTEGER NOT NULL,
 looked_at INTEGER NOT NULL,
 share INTEGER NOT NULL,
 started_at INTEGER NOT NULL,
 seen_at INTEGER NOT NULL,
 UNIQUE (kind, level, model, mark)
) STRICT;
CREATE TABLE trial_arm (
 trial_id INTEGER NOT NULL,
 arm TEXT NOT NULL,
 step INTEGER NOT NULL,
 requests INTEGER NOT NULL,
 errors INTEGER NOT NULL,
 priced INTEGER NOT NULL,
 cost_nano INTEGER NOT NULL,
 judged INTEGER NOT NULL,
 quality INTEGER NOT NULL,
 times TEXT NOT NULL,
 PRIMARY KEY (trial_id, arm, step)
) STRICT;
