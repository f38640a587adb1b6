BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE qpsearch_attempts (
	trial_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	lease_id INTEGER NOT NULL, 
	host VARCHAR(255), 
	device VARCHAR(255), 
	threads INTEGER, 
	memory_format VARCHAR(40), 
	began FLOAT NOT NULL, 
	ended FLOAT, 
	ending VARCHAR(20), 
	reason VARCHAR(20), 
	detail TEXT, 
	PRIMARY KEY (trial_id, number), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id) ON DELETE CASCADE, 
	FOREIGN KEY(lease_id) REFERENCES qpsearch_leases (lease_id) ON DELETE CASCADE
);
INSERT INTO "qpsearch_attempts" VALUES(1,1,1,'here','cpu',1,'contiguous',1.79526842943447899813e+09,1.79526842945957493778e+09,'finished',NULL,NULL);
INSERT INTO "qpsearch_attempts" VALUES(2,1,1,'here','cpu',1,'contiguous',1.79526842943845820433e+09,1.79526842946781206135e+09,'finished',NULL,NULL);
INSERT INTO "qpsearch_attempts" VALUES(3,1,1,'here','cpu',1,'contiguous',1.79526842944158983228e+09,NULL,NULL,NULL,NULL);
INSERT INTO "qpsearch_attempts" VALUES(4,1,1,NULL,NULL,NULL,NULL,1.79526842944462370873e+09,1.79526842947038793563e+09,'failed','diverged','training loss nan in epoch 2');
INSERT INTO "qpsearch_attempts" VALUES(5,1,1,'here','cpu',1,'contiguous',1.79526842944741940504e+09,1.79526842947326040265e+09,'interrupted',NULL,NULL);
INSERT INTO "qpsearch_attempts" VALUES(6,1,1,'here','cpu',1,'contiguous',1.79526842945011711125e+09,NULL,NULL,NULL,NULL);
CREATE TABLE qpsearch_configs (
	trial_id INTEGER NOT NULL, 
	config_json TEXT NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id) ON DELETE CASCADE
);
INSERT INTO "qpsearch_configs" VALUES(1,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stages":[{"width":4,"stride":1,"depth":3,"block":"product_unit","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":null,"product_unit":{"exponent_init":"kaiming_fan_out","exponent_clip":null}}]},"recipe":{"epochs":4,"batch_size":1,"optimizer":{"kind":"sgd","lr":0.03042041635333409,"momentum":0.9,"weight_decay":0.0001},"schedule":"step"}}','815b20fd4c5e55d83ba12fe0cbd083afd6274c801e24325a9033fdff74bf7062');
INSERT INTO "qpsearch_configs" VALUES(2,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stages":[{"width":4,"stride":1,"depth":1,"block":"additive","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":null,"product_unit":null}]},"recipe":{"epochs":4,"batch_size":1,"optimizer":{"kind":"sgd","lr":0.03972955842356569,"momentum":0.9,"weight_decay":0.0001},"schedule":"step"}}','cc8dd2001b78d99738d90f7c8b90b9dbe0eab05a3ee442aa4ce3e906e60a715e');
INSERT INTO "qpsearch_configs" VALUES(3,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stages":[{"width":4,"stride":1,"depth":2,"block":"quotient","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"alpha":1.869456453120368},"product_unit":null}]},"recipe":{"epochs":4,"batch_size":1,"optimizer":{"kind":"sgd","lr":0.11917705012199288,"momentum":0.9,"weight_decay":0.0001},"schedule":"step"}}','b421b21bfa59c85fdaba51991c5a5aef55ecacb118dadb577d382a52d712daca');
INSERT INTO "qpsearch_configs" VALUES(4,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stages":[{"width":4,"stride":1,"depth":2,"block":"additive","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":null,"product_unit":null}]},"recipe":{"epochs":4,"batch_size":1,"optimizer":{"kind":"sgd","lr":0.11869199453032464,"momentum":0.9,"weight_decay":0.0001},"schedule":"step"}}','7ff304d6ded41a6b63b6798c292c1e2c041baabef838e70558aba871d92a3f26');
INSERT INTO "qpsearch_configs" VALUES(5,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stages":[{"width":4,"stride":1,"depth":1,"block":"additive","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":null,"product_unit":null}]},"recipe":{"epochs":4,"batch_size":1,"optimizer":{"kind":"sgd","lr":0.3089812871523392,"momentum":0.9,"weight_decay":0.0001},"schedule":"step"}}','3e1f83a697ade28d22027f835bbefa946acc6e3b547d57e5c935aa5e7cbe7dae');
INSERT INTO "qpsearch_configs" VALUES(6,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stages":[{"width":4,"stride":1,"depth":1,"block":"product_unit","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":null,"product_unit":{"exponent_init":"kaiming_fan_out","exponent_clip":null}}]},"recipe":{"epochs":4,"batch_size":1,"optimizer":{"kind":"sgd","lr":0.056088999647432226,"momentum":0.9,"weight_decay":0.0001},"schedule":"step"}}','7189cad33c853e1176ce8a8e06b9a51facfcd533a727e6164e298ce076735aa2');
CREATE TABLE qpsearch_epochs (
	trial_id INTEGER NOT NULL, 
	replicate INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	train_loss FLOAT NOT NULL, 
	val_loss FLOAT, 
	val_accuracy FLOAT NOT NULL, 
	val_nonfinite INTEGER NOT NULL, 
	lr FLOAT NOT NULL, 
	seconds FLOAT NOT NULL, 
	images_per_s FLOAT NOT NULL, 
	peak_memory_bytes BIGINT NOT NULL, 
	checkpoint TEXT NOT NULL, 
	reported FLOAT NOT NULL, 
	PRIMARY KEY (trial_id, replicate, epoch), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id) ON DELETE CASCADE
);
INSERT INTO "qpsearch_epochs" VALUES(1,0,1,1,1.0,1.0,7.88025520441667515214e-02,0,0.0,0.0,0.0,0,'',1.79526842945218133924e+09);
INSERT INTO "qpsearch_epochs" VALUES(1,0,2,1,1.0,1.0,1.57605104088333503042e-01,0,0.0,0.0,0.0,0,'',1.79526842945521783825e+09);
INSERT INTO "qpsearch_epochs" VALUES(1,0,3,1,1.0,1.0,2.36407656132500254564e-01,0,0.0,0.0,0.0,0,'',1.79526842945668506619e+09);
INSERT INTO "qpsearch_epochs" VALUES(1,0,4,1,1.0,1.0,0.315210208176667,0,0.0,0.0,0.0,0,'',1.79526842945823407178e+09);
INSERT INTO "qpsearch_epochs" VALUES(2,0,1,1,1.0,1.0,1.04966194802945722575e-01,0,0.0,0.0,0.0,0,'',1.795268429463231802e+09);
INSERT INTO "qpsearch_epochs" VALUES(2,0,2,1,1.0,1.0,2.0993238960589144515e-01,0,0.0,0.0,0.0,0,'',1.79526842946454858775e+09);
INSERT INTO "qpsearch_epochs" VALUES(2,0,3,1,1.0,1.0,3.14898584408837167725e-01,0,0.0,0.0,0.0,0,'',1.79526842946580529212e+09);
INSERT INTO "qpsearch_epochs" VALUES(2,0,4,1,1.0,1.0,4.198647792117828903e-01,0,0.0,0.0,0.0,0,'',1.79526842946726799014e+09);
INSERT INTO "qpsearch_epochs" VALUES(3,0,1,1,1.0,1.0,0.0,0,0.0,0.0,0.0,0,'',1.7952684294691948891e+09);
INSERT INTO "qpsearch_epochs" VALUES(5,0,1,1,1.0,1.0,0.7,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79526842947207403177e+09);
INSERT INTO "qpsearch_epochs" VALUES(6,0,1,1,1.0,1.0,0.8,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79526842947425770754e+09);
CREATE TABLE qpsearch_infeasible (
	infeasible_id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	params_json TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	PRIMARY KEY (infeasible_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id) ON DELETE CASCADE
);
CREATE TABLE qpsearch_leases (
	lease_id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	host VARCHAR(255) NOT NULL, 
	boot VARCHAR(255) NOT NULL, 
	pid INTEGER NOT NULL, 
	process_started FLOAT NOT NULL, 
	beat INTEGER NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	began FLOAT NOT NULL, 
	ended FLOAT, 
	PRIMARY KEY (lease_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id) ON DELETE CASCADE
);
INSERT INTO "qpsearch_leases" VALUES(1,1,'box','00000000000000000000000000000001 00000000-0000-0000-0000-000000000001 pid:[1]',4711,1225821.0,19,'held',1.79526842940370464328e+09,NULL);
CREATE TABLE qpsearch_runs (
	trial_id INTEGER NOT NULL, 
	replicate INTEGER NOT NULL, 
	seed BIGINT NOT NULL, 
	score FLOAT, 
	PRIMARY KEY (trial_id, replicate), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id) ON DELETE CASCADE
);
INSERT INTO "qpsearch_runs" VALUES(1,0,2465692271,0.315210208176667);
INSERT INTO "qpsearch_runs" VALUES(2,0,2781575758,4.198647792117828903e-01);
INSERT INTO "qpsearch_runs" VALUES(3,0,246061183,NULL);
INSERT INTO "qpsearch_runs" VALUES(4,0,3265003700,NULL);
INSERT INTO "qpsearch_runs" VALUES(5,0,243616033,NULL);
INSERT INTO "qpsearch_runs" VALUES(6,0,90481572,NULL);
CREATE TABLE qpsearch_studies (
	study_id INTEGER NOT NULL, 
	uid VARCHAR(32) NOT NULL, 
	space_text TEXT NOT NULL, 
	space_source TEXT NOT NULL, 
	schema_json TEXT NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	seed INTEGER NOT NULL, 
	asked INTEGER NOT NULL, 
	sampler VARCHAR(40) NOT NULL, 
	pruner VARCHAR(40) NOT NULL, 
	resources_json TEXT NOT NULL, 
	checkpoint_root TEXT, 
	environment_json TEXT NOT NULL, 
	created FLOAT NOT NULL, 
	PRIMARY KEY (study_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id) ON DELETE CASCADE
);
INSERT INTO "qpsearch_studies" VALUES(1,'812ce86aadf84dd9840db405dcf423f0','
study: scripted
data: {dataset: digits, validation: 300}
network:
  stem: {width: 4}
  stages:
    - {width: 4, depth: {int: [1, 3]}, block: {choice: [additive, quotient, product_unit]}}
  rules:
    quotient: {alpha: {float: [1.3, 2.2]}}
training:
  epochs: 4
  batch_size: 1
  optimizer: {sgd: {lr: {log: [0.01, 0.5]}}}
search: {sampler: tpe, pruner: successive_halving, trials: 8, seed: 0, replicates: 1}
resources: {report_timeout: none}
','test','{"data.dataset": "digits", "data.validation": "300", "data.augment": "[]", "network.stem.width": "4", "network.stages.0.width": "4", "network.stages.0.stride": "1", "network.stages.0.depth": "{int: [1, 3]}", "network.stages.0.block": "{choice: [additive, quotient, product_unit]}", "network.rules.norm": "batch", "network.rules.norm_placement": "post", "network.rules.init": "framework", "network.rules.shortcut": "conv3x3", "network.rules.quotient.alpha": "{float: [1.3, 2.2]}", "network.rules.product_unit.exponent_init": "kaiming_fan_out", "network.rules.product_unit.exponent_clip": "none", "training.epochs": "4", "training.batch_size": "1", "training.optimizer": "sgd", "training.optimizer.sgd.lr": "{log: [0.01, 0.5]}", "training.optimizer.sgd.momentum": "0.9", "training.optimizer.sgd.weight_decay": "0.0001", "training.schedule": "step", "search.objective": "maximize val_accuracy", "search.score": "last", "search.sampler": "tpe", "search.pruner": "successive_halving", "search.replicates": "1", "search.seed": "0"}','79217a59513d9da6830cddc1b07b605f62af9ce39785913f9c87ce1172cdf220',0,8,'tpe','successive_halving','{"gpus": null, "cpus": 1, "concurrent": null, "report_timeout_s": null}',NULL,'{"versions": {"qpsearch": "0.1.0", "python": "3.11.7", "optuna": "5.0.0", "ray": "2.60.0", "torch": "2.15.0", "torchvision": "0.29.2", "numpy": "2.4.6", "sqlalchemy": "2.1.9"}, "machine": {"system": "Linux-6.18.44-fc-v595-x86_64-with-glibc2.36", "processor": "x86_64", "cores": 2}}',1.79526842940370464328e+09);
CREATE TABLE qpsearch_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT qpsearch_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "qpsearch_version" VALUES('0001');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'scripted');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MAXIMIZE',1,0);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_intermediate_values" VALUES(1,1,1,7.88025520441667515214e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(2,1,2,1.57605104088333503042e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(3,1,3,2.36407656132500254564e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(4,1,4,0.315210208176667,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(5,2,1,1.04966194802945722575e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(6,2,2,2.0993238960589144515e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(7,2,3,3.14898584408837167725e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(8,2,4,4.198647792117828903e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(9,3,1,0.0,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(10,5,1,0.7,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(11,6,1,0.8,'FINITE');
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_params" VALUES(1,1,'network.stages.0.depth',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(2,1,'network.stages.0.block',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(3,1,'training.optimizer.sgd.lr',3.04204163533340898872e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(4,2,'network.stages.0.depth',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(5,2,'network.stages.0.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(6,2,'training.optimizer.sgd.lr',3.97295584235656876193e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(7,3,'network.stages.0.depth',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(8,3,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(9,3,'network.rules.quotient.alpha',1.86945645312036790031e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(10,3,'training.optimizer.sgd.lr',1.19177050121992880726e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(11,4,'network.stages.0.depth',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(12,4,'network.stages.0.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(13,4,'training.optimizer.sgd.lr',1.18691994530324640422e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(14,5,'network.stages.0.depth',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(15,5,'network.stages.0.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(16,5,'training.optimizer.sgd.lr',3.08981287152339190171e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(17,6,'network.stages.0.depth',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(18,6,'network.stages.0.block',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(19,6,'training.optimizer.sgd.lr',5.60889996474322263808e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_system_attributes" VALUES(1,1,'completed_rung_0','0.07880255204416675');
INSERT INTO "trial_system_attributes" VALUES(2,1,'completed_rung_1','0.23640765613250025');
INSERT INTO "trial_system_attributes" VALUES(3,2,'completed_rung_0','0.10496619480294572');
INSERT INTO "trial_system_attributes" VALUES(4,2,'completed_rung_1','0.31489858440883717');
INSERT INTO "trial_system_attributes" VALUES(5,3,'completed_rung_0','0.0');
INSERT INTO "trial_system_attributes" VALUES(6,5,'completed_rung_0','0.7');
INSERT INTO "trial_system_attributes" VALUES(7,6,'completed_rung_0','0.8');
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,4,'reason','"diverged"');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,1,0,0.315210208176667,'FINITE');
INSERT INTO "trial_values" VALUES(2,2,0,4.198647792117828903e-01,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-21 13:40:29.432922','2026-11-21 13:40:29.460243');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-21 13:40:29.437983','2026-11-21 13:40:29.467925');
INSERT INTO "trials" VALUES(3,2,1,'RUNNING','2026-11-21 13:40:29.441061',NULL);
INSERT INTO "trials" VALUES(4,3,1,'FAIL','2026-11-21 13:40:29.444201','2026-11-21 13:40:29.470506');
INSERT INTO "trials" VALUES(5,4,1,'RUNNING','2026-11-21 13:40:29.446985',NULL);
INSERT INTO "trials" VALUES(6,5,1,'RUNNING','2026-11-21 13:40:29.449666',NULL);
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
CREATE INDEX ix_qpsearch_leases_study_id ON qpsearch_leases (study_id);
CREATE INDEX ix_qpsearch_infeasible_study_id ON qpsearch_infeasible (study_id);
CREATE TRIGGER qpsearch_after_studies AFTER DELETE ON studies BEGIN DELETE FROM qpsearch_studies WHERE study_id = OLD.study_id; DELETE FROM qpsearch_leases WHERE study_id = OLD.study_id; DELETE FROM qpsearch_infeasible WHERE study_id = OLD.study_id; END;
CREATE TRIGGER qpsearch_after_trials AFTER DELETE ON trials BEGIN DELETE FROM qpsearch_configs WHERE trial_id = OLD.trial_id; DELETE FROM qpsearch_runs WHERE trial_id = OLD.trial_id; DELETE FROM qpsearch_attempts WHERE trial_id = OLD.trial_id; DELETE FROM qpsearch_epochs WHERE trial_id = OLD.trial_id; END;
COMMIT;
