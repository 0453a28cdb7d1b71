BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0003');
CREATE TABLE campaigns (
	id VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	created DATETIME NOT NULL, 
	status VARCHAR NOT NULL, 
	updated DATETIME NOT NULL, 
	spec JSON NOT NULL, 
	directory VARCHAR NOT NULL, 
	total INTEGER NOT NULL, 
	dashboard VARCHAR NOT NULL, 
	seconds DOUBLE NOT NULL, 
	error VARCHAR NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE curves (
	run_id VARCHAR NOT NULL, 
	curves JSON NOT NULL, 
	PRIMARY KEY (run_id), 
	FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE TABLE design_data (
	run_id VARCHAR NOT NULL, 
	"index" INTEGER NOT NULL, 
	design JSON NOT NULL, 
	arrays BLOB NOT NULL, 
	PRIMARY KEY (run_id, "index"), 
	FOREIGN KEY(run_id, "index") REFERENCES designs (run_id, "index") ON DELETE CASCADE
);
INSERT INTO "design_data" VALUES('00000000000a',0,'{"index": 0, "family": "particles", "ok": true, "message": "", "phases": [{"material": {"id": "al", "name": "Aluminium 6061", "category": "metal", "young": 69.0, "poisson": 0.33, "bulk": 67.6, "shear": 25.9, "density": 2.7, "kind": "", "conductivity": null, "expansion": null, "price": null, "flag": "", "source": "", "url": "", "young_std": null, "conductivity_std": null, "substance": ""}, "volume_fraction": 0.73046875}, {"material": {"id": "sic", "name": "Silicon carbide", "category": "ceramic", "young": 410.0, "poisson": 0.17, "bulk": 207.1, "shear": 175.2, "density": 3.21, "kind": "", "conductivity": null, "expansion": null, "price": null, "flag": "", "source": "", "url": "", "young_std": null, "conductivity_std": null, "substance": ""}, "volume_fraction": 0.26953125}], "parameters": {"diameter": 0.3}, "on_target": true, "error": 0.0020000000000000018, "stiffness_error": null, "spread": 0.4, "bounds": {"reuss": 40.0, "hs_lower": 45.0, "hs_upper": 55.00000000000001, "voigt": 65.0}, "iterations": 21, "residual": 1e-09, "objectives": [{"quantity": "K", "sense": "reach", "low": 50.0, "high": 50.0, "weight": 1.0, "scale": null}], "stages": {"relaxed": {"K": 50.5}, "projected": {"K": 52.5}, "snapped": {"K": 48.0}, "refined": {"K": 50.14999999999999}, "realised": {"K": 50.1}}, "misses": {"K": 0.0020000000000000018}, "properties": {"K": 50.1, "density": 2.84}, "trust": {}, "sensitivity": {}, "voxels": {}, "verified": {}, "makeable": null, "geometry": {}, "stiffness": null, "load_cases": null, "snapped": null, "files": {}}',X'504B03042D000000080000002100FE856810FFFFFFFFFFFFFFFF0900140070686173652E6E70790100100080010000000000005D000000000000009BEC17EA1B10C9C850C650AD9E925A9C5CA46EA5A05E536AA8AEA3A09E965F54529498179F5F94920A12774BCC294E058A17672416A402F91A86663A0A60ACA9A350AB400EE062A00A600401342E428091115580523EBAF918F6930000504B03042D000000080000002100A103CC6FFFFFFFFFFFFFFFFF0B00140072656C617865642E6E707901001000800C000000000000A9000000000000009BEC17EA1B10C9C850C650AD9E925A9C5CA46EA5A06E9366A2AEA3A09E965F54529498179F5F94920A12774BCC294E058A17672416A402F91AC63A0A866650ACA9A350AB4032E06260E8721AC5D8F059674C4C895E62CDC0A797183346BA7E4AC39F1AF13F74F0E1AF2BEC463126AE16D1C3C094E825D60C7C7A893163A4EBA734FCA911FF43099F3DA3E3308A31F192025F0C4C895E62CDC0A797183346BA7E4AC39F1AF13F943000504B01022D032D000000080000002100FE8568105D0000008001000009000000000000000000000080010000000070686173652E6E7079504B01022D032D000000080000002100A103CC6FA9000000800C00000B000000000000000000000080019800000072656C617865642E6E7079504B05060000000002000200700000007E0100000000');
CREATE TABLE designs (
	run_id VARCHAR NOT NULL, 
	"index" INTEGER NOT NULL, 
	ok BOOLEAN NOT NULL, 
	error DOUBLE, bulk DOUBLE, density DOUBLE, properties JSON, family VARCHAR DEFAULT 'particles' NOT NULL, parameters JSON DEFAULT '{}' NOT NULL, 
	PRIMARY KEY (run_id, "index"), 
	FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "designs" VALUES('00000000000a',0,1,2.00000000000000177635e-03,50.1,2.84,'{"K": 50.1, "density": 2.84, "K_reuss": 40.0, "K_hs_lower": 45.0, "K_hs_upper": 55.00000000000001, "K_voigt": 65.0}','particles','{"volume_fraction": 0.26953125, "diameter": 0.3}');
CREATE TABLE phases (
	run_id VARCHAR NOT NULL, 
	"index" INTEGER NOT NULL, 
	phase INTEGER NOT NULL, 
	material VARCHAR NOT NULL, 
	PRIMARY KEY (run_id, "index", phase), 
	FOREIGN KEY(run_id, "index") REFERENCES designs (run_id, "index") ON DELETE CASCADE
);
INSERT INTO "phases" VALUES('00000000000a',0,0,'Aluminium 6061');
INSERT INTO "phases" VALUES('00000000000a',0,1,'Silicon carbide');
CREATE TABLE runs (
	id VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	created DATETIME NOT NULL, 
	status VARCHAR NOT NULL, 
	owner VARCHAR NOT NULL, 
	request JSON NOT NULL, 
	provenance JSON, 
	seconds DOUBLE, 
	error_id VARCHAR NOT NULL, 
	error VARCHAR NOT NULL, notes VARCHAR DEFAULT '' NOT NULL, target_bulk DOUBLE, design_count INTEGER DEFAULT '0' NOT NULL, best_error DOUBLE, deleted DATETIME, campaign_id VARCHAR REFERENCES campaigns (id), request_hash VARCHAR, 
	PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES('00000000000a','own','2026-01-02 03:04:05.000000','cancelled','host:1','{"objectives": [{"quantity": "K", "sense": "reach", "low": 50.0, "high": 50.0, "weight": 1.0, "scale": null}], "dim": 2, "count": 1, "steps": 4, "seed": 7, "categories": null, "exclude": [], "flagged": false, "makeable": "plausible", "materials_csv": "id,name,E_GPa,nu,rho_g_cm3\na,Alpha,3,0.3,1.2\nb,Beta,300,0.2,3\n", "prior": null, "method": "guided", "family": "particles", "phases": [], "shape": "", "min_feature": 0.0, "symmetry": "none", "open_voids": false, "boundary": "periodic", "refine": true, "robust": 0.0, "distinct": true, "start": null, "start_noise": 0.6, "guidance": {"sampler": "auto", "mean": 1.0, "mean_iterations": 1, "variance": 0.5, "clip": 0.2, "schedule": "constant", "recurrence": 1, "begin": 0.993, "end": 0.0, "sharpness": 4.0, "commit": 0.6, "reuse": 1, "tolerance": 0.01}}',NULL,NULL,'','','',50.0,1,2.00000000000000177635e-03,NULL,NULL,NULL);
CREATE TABLE tags (
	run_id VARCHAR NOT NULL, 
	tag VARCHAR NOT NULL, 
	PRIMARY KEY (run_id, tag), 
	FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE INDEX ix_runs_created ON runs (created);
CREATE INDEX ix_campaigns_created ON campaigns (created);
CREATE INDEX ix_tags_tag ON tags (tag);
CREATE INDEX ix_runs_target_bulk ON runs (target_bulk);
CREATE INDEX ix_runs_listed ON runs (deleted, campaign_id, created);
CREATE INDEX ix_runs_recent ON runs (deleted, created);
CREATE UNIQUE INDEX ix_runs_campaign ON runs (campaign_id, request_hash);
CREATE INDEX ix_designs_bulk ON designs (bulk);
CREATE INDEX ix_designs_density ON designs (density);
CREATE INDEX ix_phases_material ON phases (material, run_id, "index");
COMMIT;
