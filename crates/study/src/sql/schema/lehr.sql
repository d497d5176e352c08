CREATE TABLE IF NOT EXISTS lehr_runs (
	run_id {serial},
	study_id INTEGER NOT NULL,
	trial_id INTEGER NOT NULL {owned by trials},
	number INTEGER,
	state VARCHAR(8) NOT NULL,
	horizon BIGINT NOT NULL,
	seed BIGINT NOT NULL,
	comparability BIGINT NOT NULL,
	parent INTEGER,
	parent_step BIGINT,
	token VARCHAR(32),
	attempt INTEGER NOT NULL,
	worker VARCHAR(512),
	saw TEXT,
	value DOUBLE PRECISION,
	value_type VARCHAR(7),
	reason TEXT,
	log TEXT,
	checkpoint TEXT,
	checkpoint_step BIGINT,
	steps_before BIGINT NOT NULL,
	steps_spent BIGINT NOT NULL,
	started {time},
	ended {time},
	heartbeat {time},
	UNIQUE (study_id, number)
);
CREATE INDEX IF NOT EXISTS lehr_runs_of_trials ON lehr_runs (trial_id);
CREATE TABLE IF NOT EXISTS lehr_reports (
	run_id INTEGER NOT NULL {owned by lehr_runs},
	step BIGINT NOT NULL,
	value DOUBLE PRECISION,
	value_type VARCHAR(7) NOT NULL,
	PRIMARY KEY (run_id, step)
);
CREATE TABLE IF NOT EXISTS lehr_workers (
	worker_id {serial},
	study_id INTEGER NOT NULL {owned by studies},
	name VARCHAR(512) NOT NULL,
	host VARCHAR(512) NOT NULL,
	pid BIGINT NOT NULL,
	started {time} NOT NULL,
	heartbeat {time} NOT NULL,
	ended {time}
);
CREATE INDEX IF NOT EXISTS lehr_workers_of_studies ON lehr_workers (study_id);
CREATE INDEX IF NOT EXISTS lehr_open_trials ON trials (study_id, trial_id) WHERE state IN ('RUNNING', 'WAITING');
