-- What the request that made a batch said of where it may go: "x-penstock-privacy: private" and the like, a line each.
-- Holds for each of the batch's lines.
ALTER TABLE batch ADD COLUMN wishes TEXT NOT NULL DEFAULT '';
