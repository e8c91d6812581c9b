-- Whether a response was asked for in private: then who goes on from it does so too.
ALTER TABLE response ADD COLUMN private BIGINT NOT NULL DEFAULT 0;
