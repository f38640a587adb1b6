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
	detail TEXT, gpus FLOAT, seconds FLOAT DEFAULT '0' NOT NULL, repeated_s FLOAT DEFAULT '0' NOT NULL, 
	PRIMARY KEY (trial_id, number), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id) ON DELETE CASCADE, 
	FOREIGN KEY(lease_id) REFERENCES qpsearch_leases (lease_id) ON DELETE CASCADE
);
INSERT INTO "qpsearch_attempts" VALUES(1,1,1,'here','cpu',1,'contiguous',1.79564640671914649014e+09,1.79564640673311853415e+09,'finished',NULL,NULL,0.0,1.13433360002090921625e-02,0.0);
INSERT INTO "qpsearch_attempts" VALUES(2,1,1,'here','cpu',1,'contiguous',1.79564640674199485774e+09,1.79564640674893951418e+09,'finished',NULL,NULL,0.0,5.46168100026989122852e-03,0.0);
INSERT INTO "qpsearch_attempts" VALUES(3,1,1,'here','cpu',1,'contiguous',1.79564640676411342622e+09,1.79564640676589012142e+09,'pruned',NULL,NULL,0.0,4.07277000704198144376e-04,0.0);
INSERT INTO "qpsearch_attempts" VALUES(4,1,1,'here','cpu',1,'contiguous',1.79564640677202486994e+09,1.79564640677951645846e+09,'finished',NULL,NULL,0.0,5.84992499989311909303e-03,0.0);
INSERT INTO "qpsearch_attempts" VALUES(5,1,1,'here','cpu',1,'contiguous',1.79564640678534483912e+09,1.79564640679212617871e+09,'finished',NULL,NULL,0.0,0.00558312399971328,0.0);
INSERT INTO "qpsearch_attempts" VALUES(6,1,1,'here','cpu',1,'contiguous',1.79564640679869294169e+09,1.79564640680029749867e+09,'pruned',NULL,NULL,0.0,3.66781000593618955463e-04,0.0);
INSERT INTO "qpsearch_attempts" VALUES(7,1,1,'here','cpu',1,'contiguous',1.79564640681801891328e+09,1.79564640682042193408e+09,'pruned',NULL,NULL,0.0,0.000993462000224099,0.0);
INSERT INTO "qpsearch_attempts" VALUES(8,1,1,'here','cpu',1,'contiguous',1.79564640683413028711e+09,1.79564640683610248568e+09,'pruned',NULL,NULL,0.0,5.32405000740254763513e-04,0.0);
INSERT INTO "qpsearch_attempts" VALUES(9,1,1,'here','cpu',1,'contiguous',1.79564640684830665586e+09,1.79564640685480380061e+09,'finished',NULL,NULL,0.0,5.1764259997071349062e-03,0.0);
INSERT INTO "qpsearch_attempts" VALUES(10,1,1,'here','cpu',1,'contiguous',1795646406.86889,1795646406.87395,'pruned',NULL,NULL,0.0,3.59397699958208249881e-03,0.0);
INSERT INTO "qpsearch_attempts" VALUES(11,1,1,'here','cpu',1,'contiguous',1.79564640688551139828e+09,1.79564640689301872247e+09,'finished',NULL,NULL,0.0,6.2267990006148465909e-03,0.0);
INSERT INTO "qpsearch_attempts" VALUES(12,1,1,'here','cpu',1,'contiguous',1.79564640690508151056e+09,1.79564640690779805183e+09,'pruned',NULL,NULL,0.0,4.67767999907664489001e-04,0.0);
INSERT INTO "qpsearch_attempts" VALUES(13,1,1,'here','cpu',1,'contiguous',1.79564640692909502977e+09,1.79564640693421387679e+09,'pruned',NULL,NULL,0.0,3.56576400008634664118e-03,0.0);
INSERT INTO "qpsearch_attempts" VALUES(14,1,1,'here','cpu',1,'contiguous',1.79564640694645833969e+09,1.79564640694820141795e+09,'pruned',NULL,NULL,0.0,4.30281999797443859279e-04,0.0);
INSERT INTO "qpsearch_attempts" VALUES(15,1,1,'here','cpu',1,'contiguous',1.79564640696129083638e+09,1.79564640696679544452e+09,'interrupted',NULL,NULL,0.0,4.12099899949680548161e-03,2.01628899958450347185e-03);
INSERT INTO "qpsearch_attempts" VALUES(16,1,2,'here','cpu',1,'contiguous',1.79564640705482101443e+09,1.79564640706268191334e+09,'finished',NULL,NULL,0.0,5.70650200006639352068e-03,0.0);
INSERT INTO "qpsearch_attempts" VALUES(17,1,2,'here','cpu',1,'contiguous',1.7956464070705513954e+09,1.79564640707396531104e+09,'finished',NULL,NULL,0.0,2.03405899992503691464e-03,0.0);
INSERT INTO "qpsearch_attempts" VALUES(18,1,2,'here','cpu',1,'contiguous',1.79564640707986712458e+09,1.79564640708349418643e+09,'finished',NULL,NULL,0.0,2.2230770000533084385e-03,0.0);
INSERT INTO "qpsearch_attempts" VALUES(19,1,2,'here','cpu',1,'contiguous',1.79564640708906745909e+09,1.79564640709240317352e+09,'finished',NULL,NULL,0.0,2.00339399998483713716e-03,0.0);
INSERT INTO "qpsearch_attempts" VALUES(20,1,2,'here','cpu',1,'contiguous',1.79564640709807252887e+09,1.7956464071012308598e+09,'finished',NULL,NULL,0.0,2.02901600005134241655e-03,0.0);
INSERT INTO "qpsearch_attempts" VALUES(21,1,2,'here','cpu',1,'contiguous',1.79564640710595273967e+09,1.79564640710948872567e+09,'finished',NULL,NULL,0.0,0.00201545699928829,0.0);
INSERT INTO "qpsearch_attempts" VALUES(22,1,2,'here','cpu',1,'contiguous',1.7956464071138768196e+09,1.79564640711701059344e+09,'finished',NULL,NULL,0.0,1.88707300003443378955e-03,0.0);
INSERT INTO "qpsearch_attempts" VALUES(23,1,2,'here','cpu',1,'contiguous',1.79564640712245941157e+09,1.79564640712787055966e+09,'finished',NULL,NULL,0.0,1.73964599980536149814e-03,0.0);
INSERT INTO "qpsearch_attempts" VALUES(24,1,2,'here','cpu',1,'contiguous',1.79564640713258838649e+09,1.79564640713525104521e+09,'finished',NULL,NULL,0.0,1.58561700027348706498e-03,0.0);
INSERT INTO "qpsearch_attempts" VALUES(25,1,2,'here','cpu',1,'contiguous',1.79564640714009761813e+09,1.7956464071431541443e+09,'finished',NULL,NULL,0.0,1.85305600007268367335e-03,0.0);
INSERT INTO "qpsearch_attempts" VALUES(26,1,2,'here','cpu',1,'contiguous',1.79564640715362071991e+09,1.79564640715668940541e+09,'interrupted',NULL,NULL,0.0,1.87090500003250781446e-03,1.6173819994946825318e-03);
INSERT INTO "qpsearch_attempts" VALUES(27,1,3,'here','cpu',1,'contiguous',1.79564640723211073878e+09,1.79564640724820899966e+09,'finished',NULL,NULL,0.0,0.01431083999978,0.0);
INSERT INTO "qpsearch_attempts" VALUES(28,1,3,'here','cpu',1,'contiguous',1.79564640725335240368e+09,1.79564640726202130313e+09,'finished',NULL,NULL,0.0,7.0500100000572274439e-03,0.0);
INSERT INTO "qpsearch_attempts" VALUES(29,1,3,'here','cpu',1,'contiguous',1.79564640726625466345e+09,1.7956464072758648396e+09,'finished',NULL,NULL,0.0,8.36096600050950655713e-03,0.0);
INSERT INTO "qpsearch_attempts" VALUES(30,1,3,'here','cpu',1,'contiguous',1.79564640727990961072e+09,1.79564640728413414953e+09,'interrupted',NULL,NULL,0.0,2.98866400044062174856e-03,1.31791400053771212697e-03);
INSERT INTO "qpsearch_attempts" VALUES(31,1,4,'here','cpu',1,'contiguous',1.79564640735831665993e+09,1.79564640737340116497e+09,'finished',NULL,NULL,0.0,1.30759740004577906802e-02,0.0);
INSERT INTO "qpsearch_attempts" VALUES(32,1,4,'here','cpu',1,'contiguous',1.79564640737960791588e+09,1.79564640738817644111e+09,'finished',NULL,NULL,0.0,7.02267799988476326689e-03,0.0);
INSERT INTO "qpsearch_attempts" VALUES(33,1,4,'here','cpu',1,'contiguous',1.79564640739260029792e+09,1.79564640740073299405e+09,'finished',NULL,NULL,0.0,6.9722190000902628526e-03,0.0);
INSERT INTO "qpsearch_attempts" VALUES(34,1,4,'here','cpu',1,'contiguous',1.79564640740593767166e+09,1.79564640741372013093e+09,'interrupted',NULL,NULL,0.0,6.37697299953288165852e-03,1.39013399984833085909e-03);
CREATE TABLE qpsearch_configs (
	trial_id INTEGER NOT NULL, 
	config_json TEXT NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, revision INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id) ON DELETE CASCADE
);
INSERT INTO "qpsearch_configs" VALUES(1,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":1,"block":"quotient","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.936841951715163,"floor":0.0,"through_one":true,"learned_alpha":null,"inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]},{"width":8,"stride":1,"depth":1,"block":"additive","branch":"basic","norm":"batch","norm_placement":"post","init":"zero_last_norm","shortcut":"conv3x3","quotient":null,"product_unit":null,"own":[]}]},"recipe":{"epochs":4,"batch_size":64,"optimizer":{"kind":"sgd","lr":0.011733701792361039,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','c930e8dd977b6b9142eb30165ff3d5cf278e158245854402ae415ab74bdc9672',5);
INSERT INTO "qpsearch_configs" VALUES(2,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":3,"block":"additive","branch":"basic","norm":"batch","norm_placement":"post","init":"zero_last_norm","shortcut":"conv3x3","quotient":null,"product_unit":null,"own":[]}]},"recipe":{"epochs":4,"batch_size":16,"optimizer":{"kind":"sgd","lr":0.01102597247764469,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','80b502ed308e60b140adf004fd370fe645dd82ba05de7c70b390b536a8c5b015',10);
INSERT INTO "qpsearch_configs" VALUES(3,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":1,"block":"quotient","branch":"basic","norm":"group","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.6930539081113722,"floor":0.0,"through_one":true,"learned_alpha":null,"inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]}]},"recipe":{"epochs":4,"batch_size":32,"optimizer":{"kind":"sgd","lr":0.1819011713914806,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','3703617a17935322df0f6f72f5de4eb687f99f44afe43e98a53f2ab3410499a9',12);
INSERT INTO "qpsearch_configs" VALUES(4,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":1,"block":"additive","branch":"basic","norm":"batch","norm_placement":"post","init":"zero_last_norm","shortcut":"conv3x3","quotient":null,"product_unit":null,"own":[]},{"width":8,"stride":1,"depth":1,"block":"quotient_product_unit","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.6693443866523432,"floor":0.0,"through_one":true,"learned_alpha":null,"inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":{"position":"second","inner_activation":"none","output_activation":"auto","norms":"both","positivity":"max","threshold":"layer","threshold_init":0.0,"exponent_init":"small","exponent_clip":null,"padding":"after_log","bias":false,"mixing":"dense","numbers":"real"},"own":[]}]},"recipe":{"epochs":4,"batch_size":48,"optimizer":{"kind":"sgd","lr":0.22442105218391392,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','bf940c2c88f6df2d4c2d92b7f02bd975645a6335fdfc4ab11901d2b458114931',17);
INSERT INTO "qpsearch_configs" VALUES(5,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":3,"block":"quotient","branch":"basic","norm":"group","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":2.107523681619898,"floor":0.0,"through_one":true,"learned_alpha":null,"inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]}]},"recipe":{"epochs":4,"batch_size":32,"optimizer":{"kind":"sgd","lr":0.015924336559617946,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','1a2c5441f1ebd48ba54f07406a9b76698e33f76f12b39102c63948f6a4ff9d91',22);
INSERT INTO "qpsearch_configs" VALUES(6,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":2,"block":"quotient","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.6402218262957775,"floor":0.0,"through_one":true,"learned_alpha":"layer","inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]},{"width":8,"stride":1,"depth":2,"block":"additive","branch":"basic","norm":"batch","norm_placement":"post","init":"zero_last_norm","shortcut":"conv3x3","quotient":null,"product_unit":null,"own":[]}]},"recipe":{"epochs":4,"batch_size":32,"optimizer":{"kind":"sgd","lr":0.21374360382380905,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','940eb3b5d2f7435ffd6f80522460ced0db8cb9b0d66d410e9da6b6202ce05f11',24);
INSERT INTO "qpsearch_configs" VALUES(7,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":2,"block":"quotient","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.958043135293962,"floor":0.0,"through_one":true,"learned_alpha":"layer","inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]},{"width":8,"stride":1,"depth":2,"block":"quotient_product_unit","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.958043135293962,"floor":0.0,"through_one":true,"learned_alpha":"layer","inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":{"position":"second","inner_activation":"none","output_activation":"auto","norms":"both","positivity":"max","threshold":"layer","threshold_init":0.0,"exponent_init":"small","exponent_clip":8.0,"padding":"after_log","bias":false,"mixing":"dense","numbers":"real"},"own":[]}]},"recipe":{"epochs":4,"batch_size":64,"optimizer":{"kind":"sgd","lr":0.04221860411472597,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','97d989db98a9fbb4d77f6706b4c165c02e929253cb3f80bf3d909ec72a931e05',26);
INSERT INTO "qpsearch_configs" VALUES(8,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":1,"block":"quotient","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.7106744784163206,"floor":0.0,"through_one":true,"learned_alpha":null,"inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]},{"width":8,"stride":1,"depth":1,"block":"quotient_product_unit","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.7106744784163206,"floor":0.0,"through_one":true,"learned_alpha":null,"inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":{"position":"second","inner_activation":"none","output_activation":"auto","norms":"both","positivity":"max","threshold":"layer","threshold_init":0.0,"exponent_init":"small","exponent_clip":null,"padding":"after_log","bias":false,"mixing":"dense","numbers":"real"},"own":[]}]},"recipe":{"epochs":4,"batch_size":64,"optimizer":{"kind":"sgd","lr":0.4226270601694091,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','3e45b9fae2aa6118324647f6fe564d2ab348f0b276816fdb65e5cba538ebf1fd',28);
INSERT INTO "qpsearch_configs" VALUES(9,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":1,"block":"quotient","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.85957652386778,"floor":0.0,"through_one":true,"learned_alpha":null,"inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]},{"width":8,"stride":1,"depth":1,"block":"quotient_product_unit","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.85957652386778,"floor":0.0,"through_one":true,"learned_alpha":null,"inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":{"position":"second","inner_activation":"none","output_activation":"auto","norms":"both","positivity":"max","threshold":"layer","threshold_init":0.0,"exponent_init":"small","exponent_clip":null,"padding":"after_log","bias":false,"mixing":"dense","numbers":"real"},"own":[]}]},"recipe":{"epochs":4,"batch_size":32,"optimizer":{"kind":"sgd","lr":0.03722573658079171,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','e2ac063d05e67b03598299248fba22fe9a6c8f7529da5c67f46d1291491023ed',33);
INSERT INTO "qpsearch_configs" VALUES(10,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":1,"block":"quotient","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.8978685251872218,"floor":0.0,"through_one":true,"learned_alpha":null,"inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]},{"width":8,"stride":1,"depth":1,"block":"quotient_product_unit","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.8978685251872218,"floor":0.0,"through_one":true,"learned_alpha":null,"inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":{"position":"second","inner_activation":"none","output_activation":"auto","norms":"both","positivity":"max","threshold":"layer","threshold_init":0.0,"exponent_init":"small","exponent_clip":8.0,"padding":"after_log","bias":false,"mixing":"dense","numbers":"real"},"own":[]}]},"recipe":{"epochs":4,"batch_size":16,"optimizer":{"kind":"sgd","lr":0.027486531921279124,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','aa080ed073d35a657128e1a544890079dca3546c5a076e22e8133cb00735a9a5',37);
INSERT INTO "qpsearch_configs" VALUES(11,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":1,"block":"additive","branch":"basic","norm":"group","norm_placement":"post","init":"zero_last_norm","shortcut":"conv3x3","quotient":null,"product_unit":null,"own":[]},{"width":8,"stride":1,"depth":1,"block":"quotient_product_unit","branch":"basic","norm":"group","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.873042377748275,"floor":0.0,"through_one":true,"learned_alpha":null,"inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":{"position":"second","inner_activation":"none","output_activation":"auto","norms":"both","positivity":"max","threshold":"layer","threshold_init":0.0,"exponent_init":"small","exponent_clip":null,"padding":"after_log","bias":false,"mixing":"dense","numbers":"real"},"own":[]}]},"recipe":{"epochs":4,"batch_size":16,"optimizer":{"kind":"sgd","lr":0.025464532512754264,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','f5d1eb9293d121ac20459b006e9ad01f3fa505048cfa1ee6ccd3ecae90294f63',42);
INSERT INTO "qpsearch_configs" VALUES(12,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":1,"block":"additive","branch":"basic","norm":"group","norm_placement":"post","init":"zero_last_norm","shortcut":"conv3x3","quotient":null,"product_unit":null,"own":[]},{"width":8,"stride":1,"depth":1,"block":"quotient_product_unit","branch":"basic","norm":"group","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.816719862388911,"floor":0.0,"through_one":true,"learned_alpha":null,"inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":{"position":"second","inner_activation":"none","output_activation":"auto","norms":"both","positivity":"max","threshold":"layer","threshold_init":0.0,"exponent_init":"small","exponent_clip":null,"padding":"after_log","bias":false,"mixing":"dense","numbers":"real"},"own":[]}]},"recipe":{"epochs":4,"batch_size":16,"optimizer":{"kind":"sgd","lr":0.06474858214195306,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','37100406aad7a77a288fddd4bc0251ad80c4c60f3c072d6f91a293db3eba918e',44);
INSERT INTO "qpsearch_configs" VALUES(13,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":1,"block":"quotient","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.317474563417537,"floor":0.0,"through_one":true,"learned_alpha":"layer","inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]},{"width":8,"stride":1,"depth":1,"block":"quotient_product_unit","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.317474563417537,"floor":0.0,"through_one":true,"learned_alpha":"layer","inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":{"position":"second","inner_activation":"none","output_activation":"auto","norms":"both","positivity":"max","threshold":"layer","threshold_init":0.0,"exponent_init":"small","exponent_clip":null,"padding":"after_log","bias":false,"mixing":"dense","numbers":"real"},"own":[]}]},"recipe":{"epochs":4,"batch_size":32,"optimizer":{"kind":"adamw","lr":0.007478261455429262,"weight_decay":0.01},"schedule":"step","precision":"float32"}}','409ab4739ed8ca202b3fd0f04cda647dbd6afd6718c5fdce87313f45abbb105a',48);
INSERT INTO "qpsearch_configs" VALUES(14,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":2,"block":"additive","branch":"basic","norm":"group","norm_placement":"post","init":"zero_last_norm","shortcut":"conv3x3","quotient":null,"product_unit":null,"own":[]},{"width":8,"stride":1,"depth":2,"block":"quotient_product_unit","branch":"basic","norm":"group","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.8310442293806664,"floor":0.0,"through_one":true,"learned_alpha":"layer","inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":{"position":"second","inner_activation":"none","output_activation":"auto","norms":"both","positivity":"max","threshold":"layer","threshold_init":0.0,"exponent_init":"small","exponent_clip":null,"padding":"after_log","bias":false,"mixing":"dense","numbers":"real"},"own":[]}]},"recipe":{"epochs":4,"batch_size":32,"optimizer":{"kind":"sgd","lr":0.07943782287821413,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','2e18092a0c94d3a30926f988138694d6cc7073680267821d49fcfff31f280f01',50);
INSERT INTO "qpsearch_configs" VALUES(15,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":2,"block":"additive","branch":"basic","norm":"batch","norm_placement":"post","init":"zero_last_norm","shortcut":"conv3x3","quotient":null,"product_unit":null,"own":[]},{"width":8,"stride":1,"depth":2,"block":"quotient_product_unit","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":2.1699313375928977,"floor":0.0,"through_one":true,"learned_alpha":"layer","inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":{"position":"second","inner_activation":"none","output_activation":"auto","norms":"both","positivity":"max","threshold":"layer","threshold_init":0.0,"exponent_init":"small","exponent_clip":8.0,"padding":"after_log","bias":false,"mixing":"dense","numbers":"real"},"own":[]}]},"recipe":{"epochs":4,"batch_size":16,"optimizer":{"kind":"adamw","lr":0.0010217631169082864,"weight_decay":0.01},"schedule":"step","precision":"float32"}}','e5bf0d86815998e10dc6a6949fe8cddc857ec0da49e27fd6a819daab7423009e',54);
INSERT INTO "qpsearch_configs" VALUES(16,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":1,"block":"quotient","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.7602352098925316,"floor":0.0,"through_one":true,"learned_alpha":"layer","inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]}]},"recipe":{"epochs":2,"batch_size":128,"optimizer":{"kind":"sgd","lr":0.013393384762823332,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','6a819c309828d191551e428a3e303894aa634eae48e955f4868e92aa2eded481',3);
INSERT INTO "qpsearch_configs" VALUES(17,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":2,"block":"quotient","branch":"basic","norm":"group","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.842314801593897,"floor":0.0,"through_one":true,"learned_alpha":"layer","inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]}]},"recipe":{"epochs":2,"batch_size":128,"optimizer":{"kind":"sgd","lr":0.24761462472468548,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','ab3d4f2f74d1a22ba7b06b025b7f4f324439846139c28f63729d4a30b16a5f36',6);
INSERT INTO "qpsearch_configs" VALUES(18,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":3,"block":"product_unit","branch":"basic","norm":"group","norm_placement":"post","init":"zero_last_norm","shortcut":"conv3x3","quotient":null,"product_unit":{"position":"second","inner_activation":"none","output_activation":"auto","norms":"both","positivity":"max","threshold":"layer","threshold_init":0.0,"exponent_init":"small","exponent_clip":null,"padding":"after_log","bias":false,"mixing":"dense","numbers":"real"},"own":[]},{"width":8,"stride":1,"depth":3,"block":"quotient_product_unit","branch":"basic","norm":"group","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.678546070772806,"floor":0.0,"through_one":true,"learned_alpha":"layer","inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":{"position":"second","inner_activation":"none","output_activation":"auto","norms":"both","positivity":"max","threshold":"layer","threshold_init":0.0,"exponent_init":"small","exponent_clip":null,"padding":"after_log","bias":false,"mixing":"dense","numbers":"real"},"own":[]}]},"recipe":{"epochs":2,"batch_size":128,"optimizer":{"kind":"sgd","lr":0.03084236435237207,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','4035b42c6aa08df01733c96335d284a0479875166ad7c8896b58a93f39bab97a',9);
INSERT INTO "qpsearch_configs" VALUES(19,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":1,"block":"additive","branch":"basic","norm":"group","norm_placement":"post","init":"zero_last_norm","shortcut":"conv3x3","quotient":null,"product_unit":null,"own":[]},{"width":8,"stride":1,"depth":1,"block":"quotient_product_unit","branch":"basic","norm":"group","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.576797830282935,"floor":0.0,"through_one":true,"learned_alpha":"layer","inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":{"position":"second","inner_activation":"none","output_activation":"auto","norms":"both","positivity":"max","threshold":"layer","threshold_init":0.0,"exponent_init":"small","exponent_clip":null,"padding":"after_log","bias":false,"mixing":"dense","numbers":"real"},"own":[]}]},"recipe":{"epochs":2,"batch_size":128,"optimizer":{"kind":"sgd","lr":0.11074796361589917,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','396e7636237b8ca4e2a423d5856136fa032159d1e4f3c04daa68f3ce6f838ee5',12);
INSERT INTO "qpsearch_configs" VALUES(20,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":3,"block":"quotient","branch":"basic","norm":"group","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.835093624702214,"floor":0.0,"through_one":true,"learned_alpha":"layer","inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]},{"width":8,"stride":1,"depth":3,"block":"quotient_product_unit","branch":"basic","norm":"group","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.835093624702214,"floor":0.0,"through_one":true,"learned_alpha":"layer","inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":{"position":"second","inner_activation":"none","output_activation":"auto","norms":"both","positivity":"max","threshold":"layer","threshold_init":0.0,"exponent_init":"small","exponent_clip":8.0,"padding":"after_log","bias":false,"mixing":"dense","numbers":"real"},"own":[]}]},"recipe":{"epochs":2,"batch_size":128,"optimizer":{"kind":"sgd","lr":0.03332366122908826,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','2bc0b0341ace97861b96a01bed1cef9a7c30d43788b222706ebbca49e11e4124',15);
INSERT INTO "qpsearch_configs" VALUES(21,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":2,"block":"additive","branch":"basic","norm":"group","norm_placement":"post","init":"zero_last_norm","shortcut":"conv3x3","quotient":null,"product_unit":null,"own":[]},{"width":8,"stride":1,"depth":2,"block":"additive","branch":"basic","norm":"group","norm_placement":"post","init":"zero_last_norm","shortcut":"conv3x3","quotient":null,"product_unit":null,"own":[]}]},"recipe":{"epochs":2,"batch_size":128,"optimizer":{"kind":"sgd","lr":0.32875999851434545,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','584006312ac87ce6ff39ea1ee8761d781796031a376d56f238334f748c8f8e3d',18);
INSERT INTO "qpsearch_configs" VALUES(22,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":3,"block":"quotient","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.9386295918312473,"floor":0.0,"through_one":true,"learned_alpha":"layer","inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]}]},"recipe":{"epochs":2,"batch_size":128,"optimizer":{"kind":"sgd","lr":0.1121628272503013,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','f341a9a0b5d84c4ca5648ce2e79b8077fdda1ad755dd771546cc5085bfd979d7',21);
INSERT INTO "qpsearch_configs" VALUES(23,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":3,"block":"quotient","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.731339060962163,"floor":0.0,"through_one":true,"learned_alpha":"layer","inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]}]},"recipe":{"epochs":2,"batch_size":128,"optimizer":{"kind":"sgd","lr":0.4006231739331004,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','a43150a5ede999dcd26c96bd9072e9c29769510c39ba78f1ba84d8954a25bbbc',24);
INSERT INTO "qpsearch_configs" VALUES(24,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":2,"block":"quotient","branch":"basic","norm":"group","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":2.0244950054545687,"floor":0.0,"through_one":true,"learned_alpha":"layer","inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]}]},"recipe":{"epochs":2,"batch_size":128,"optimizer":{"kind":"sgd","lr":0.011209772844101958,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','56ceb3b65f7e680225d9d509153972ae7cbc0a1d689cc6e99c460203d51d4468',27);
INSERT INTO "qpsearch_configs" VALUES(25,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":3,"block":"quotient","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.9396719208287974,"floor":0.0,"through_one":true,"learned_alpha":null,"inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]}]},"recipe":{"epochs":2,"batch_size":128,"optimizer":{"kind":"sgd","lr":0.010076188448628103,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','1aa9e5c5f23245ec72f024c186b8d7310d8d716e2baae1d26f9c32eb64b2b50b',30);
INSERT INTO "qpsearch_configs" VALUES(26,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":1,"block":"quotient","branch":"basic","norm":"group","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.3072542112005523,"floor":0.0,"through_one":true,"learned_alpha":"layer","inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]}]},"recipe":{"epochs":2,"batch_size":128,"optimizer":{"kind":"sgd","lr":0.07946597593135671,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','4557be18238b42e129cf6a66ca3c686872ac43a54e9f13ac1b27af34a075afd8',33);
INSERT INTO "qpsearch_configs" VALUES(27,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":["crop"]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":1,"block":"quotient","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":2.0,"floor":0.0,"through_one":true,"learned_alpha":null,"inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]}]},"recipe":{"epochs":3,"batch_size":128,"optimizer":{"kind":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','b0a5c536ffd93dd888fa343ae66a6febc7db7c7288f3b25976543129f783c28a',7);
INSERT INTO "qpsearch_configs" VALUES(28,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":["crop"]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":2,"block":"additive","branch":"basic","norm":"batch","norm_placement":"post","init":"zero_last_norm","shortcut":"conv3x3","quotient":null,"product_unit":null,"own":[]}]},"recipe":{"epochs":3,"batch_size":128,"optimizer":{"kind":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','b75552d4a0e7368515cf61593878da468996e5a92218633fd51ae8347cbe16a0',14);
INSERT INTO "qpsearch_configs" VALUES(29,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":["crop"]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":2,"block":"quotient","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":2.0,"floor":0.0,"through_one":true,"learned_alpha":null,"inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]}]},"recipe":{"epochs":3,"batch_size":128,"optimizer":{"kind":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001},"schedule":"cosine","precision":"float32"}}','fc79aa3ee190ef2f681e8460350a70e0cc67359a78b70184e2d0d31409e5a68f',21);
INSERT INTO "qpsearch_configs" VALUES(30,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":["crop"]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":2,"block":"additive","branch":"basic","norm":"batch","norm_placement":"post","init":"zero_last_norm","shortcut":"conv3x3","quotient":null,"product_unit":null,"own":[]}]},"recipe":{"epochs":3,"batch_size":128,"optimizer":{"kind":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001},"schedule":"cosine","precision":"float32"}}','54abbe62681314ff653ef6a3b250ef4a613870d723d064c873b7e5468e1e3605',25);
INSERT INTO "qpsearch_configs" VALUES(31,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":1,"block":"quotient","branch":"basic","norm":"group","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":2.109735183276429,"floor":0.0,"through_one":true,"learned_alpha":null,"inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]},{"width":8,"stride":1,"depth":1,"block":"quotient_product_unit","branch":"basic","norm":"group","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":2.109735183276429,"floor":0.0,"through_one":true,"learned_alpha":null,"inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":{"position":"second","inner_activation":"none","output_activation":"auto","norms":"both","positivity":"max","threshold":"layer","threshold_init":0.0,"exponent_init":"small","exponent_clip":null,"padding":"after_log","bias":false,"mixing":"dense","numbers":"real"},"own":[]}]},"recipe":{"epochs":3,"batch_size":128,"optimizer":{"kind":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','46525661d01f0520730094fa591b53d09224e71499ee8234e088542bdd50d28b',7);
INSERT INTO "qpsearch_configs" VALUES(32,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":3,"block":"quotient","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":2.081047335241045,"floor":0.0,"through_one":true,"learned_alpha":"layer","inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]}]},"recipe":{"epochs":3,"batch_size":128,"optimizer":{"kind":"sgd","lr":0.054751334476399335,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','52840af3b8fb6d6cfe75c24859d7092d137c09cf6bc4a55343d5a201eb26cff5',14);
INSERT INTO "qpsearch_configs" VALUES(33,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":1,"block":"quotient","branch":"basic","norm":"batch","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.8093901350881227,"floor":0.0,"through_one":true,"learned_alpha":"layer","inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":null,"own":[]}]},"recipe":{"epochs":3,"batch_size":128,"optimizer":{"kind":"sgd","lr":0.015535005756421388,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','449f92ad176015447981095693413718578b792b83130b2a13f9d596a4fc8b3d',21);
INSERT INTO "qpsearch_configs" VALUES(34,'{"version":1,"data":{"dataset":"digits","validation":300,"augment":[]},"network":{"channels":1,"size":8,"classes":10,"stem_width":4,"stem_kernel":3,"stem_stride":1,"stem_pool":"none","stem_activation":"auto","stages":[{"width":4,"stride":1,"depth":3,"block":"additive","branch":"basic","norm":"group","norm_placement":"post","init":"zero_last_norm","shortcut":"conv3x3","quotient":null,"product_unit":null,"own":[]},{"width":8,"stride":1,"depth":3,"block":"quotient_product_unit","branch":"basic","norm":"group","norm_placement":"post","init":"framework","shortcut":"conv3x3","quotient":{"activation":"sigmoid","alpha":1.5827822320358753,"floor":0.0,"through_one":true,"learned_alpha":null,"inner_activation":"relu","shortcut_activation":"quotient","output_activation":"none"},"product_unit":{"position":"second","inner_activation":"none","output_activation":"auto","norms":"both","positivity":"max","threshold":"layer","threshold_init":0.0,"exponent_init":"small","exponent_clip":8.0,"padding":"after_log","bias":false,"mixing":"dense","numbers":"real"},"own":[]}]},"recipe":{"epochs":3,"batch_size":128,"optimizer":{"kind":"sgd","lr":0.011645772672358215,"momentum":0.9,"weight_decay":0.0001},"schedule":"step","precision":"float32"}}','03a6cf81969f991069eb730dbaf2705f23f6c0218621dfe6d6c9e38a0f3474fd',27);
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
INSERT INTO "qpsearch_epochs" VALUES(1,0,1,1,1.0,1.0,1.96475637902040034532e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640672365832332e+09);
INSERT INTO "qpsearch_epochs" VALUES(1,0,2,1,1.0,1.0,3.92951275804080069065e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640672929978371e+09);
INSERT INTO "qpsearch_epochs" VALUES(1,0,3,1,1.0,1.0,5.89426913706120103597e-01,0,0.0,0.0,0.0,0,'r0-a1-e003.pt',1.79564640673123216635e+09);
INSERT INTO "qpsearch_epochs" VALUES(1,0,4,1,1.0,1.0,7.8590255160816013813e-01,0,0.0,0.0,0.0,0,'r0-a1-e004.pt',1.79564640673311853415e+09);
INSERT INTO "qpsearch_epochs" VALUES(2,0,1,1,1.0,1.0,1.25690503802616149187e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640674419331552e+09);
INSERT INTO "qpsearch_epochs" VALUES(2,0,2,1,1.0,1.0,2.51381007605232298374e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640674588656427e+09);
INSERT INTO "qpsearch_epochs" VALUES(2,0,3,1,1.0,1.0,3.77071511407848447561e-01,0,0.0,0.0,0.0,0,'r0-a1-e003.pt',1.79564640674741101268e+09);
INSERT INTO "qpsearch_epochs" VALUES(2,0,4,1,1.0,1.0,5.02762015210464596748e-01,0,0.0,0.0,0.0,0,'r0-a1-e004.pt',1.79564640674893951418e+09);
INSERT INTO "qpsearch_epochs" VALUES(3,0,1,1,1.0,1.0,5.37238341057673096656e-02,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640676589012142e+09);
INSERT INTO "qpsearch_epochs" VALUES(4,0,1,1,1.0,1.0,1.87088194070383906364e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.7956464067741158008e+09);
INSERT INTO "qpsearch_epochs" VALUES(4,0,2,1,1.0,1.0,3.74176388140767812728e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640677615070343e+09);
INSERT INTO "qpsearch_epochs" VALUES(4,0,3,1,1.0,1.0,5.61264582211151719093e-01,0,0.0,0.0,0.0,0,'r0-a1-e003.pt',1.79564640677763247495e+09);
INSERT INTO "qpsearch_epochs" VALUES(4,0,4,1,1.0,1.0,7.48352776281535625457e-01,0,0.0,0.0,0.0,0,'r0-a1-e004.pt',1.79564640677951645846e+09);
INSERT INTO "qpsearch_epochs" VALUES(5,0,1,1,1.0,1.0,2.55597271607257425785e-02,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640678696918483e+09);
INSERT INTO "qpsearch_epochs" VALUES(5,0,2,1,1.0,1.0,5.1119454321451485157e-02,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640678896260267e+09);
INSERT INTO "qpsearch_epochs" VALUES(5,0,3,1,1.0,1.0,7.66791814821772277355e-02,0,0.0,0.0,0.0,0,'r0-a1-e003.pt',1.79564640679052233696e+09);
INSERT INTO "qpsearch_epochs" VALUES(5,0,4,1,1.0,1.0,1.02238908642902970314e-01,0,0.0,0.0,0.0,0,'r0-a1-e004.pt',1.79564640679212617871e+09);
INSERT INTO "qpsearch_epochs" VALUES(6,0,1,1,1.0,1.0,1.44587333605159074068e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640680029749867e+09);
INSERT INTO "qpsearch_epochs" VALUES(7,0,1,1,1.0,1.0,1.48290781013201922178e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640682042193408e+09);
INSERT INTO "qpsearch_epochs" VALUES(8,0,1,1,1.0,1.0,6.08128603780642151832e-02,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640683610248568e+09);
INSERT INTO "qpsearch_epochs" VALUES(9,0,1,1,1.0,1.0,2.21359345887321978807e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640684995961185e+09);
INSERT INTO "qpsearch_epochs" VALUES(9,0,2,1,1.0,1.0,4.42718691774643957614e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640685149574279e+09);
INSERT INTO "qpsearch_epochs" VALUES(9,0,3,1,1.0,1.0,6.64078037661965936422e-01,0,0.0,0.0,0.0,0,'r0-a1-e003.pt',1.79564640685304021837e+09);
INSERT INTO "qpsearch_epochs" VALUES(9,0,4,1,1.0,1.0,8.85437383549287915229e-01,0,0.0,0.0,0.0,0,'r0-a1-e004.pt',1.79564640685480380061e+09);
INSERT INTO "qpsearch_epochs" VALUES(10,0,1,1,1.0,1.0,1.66046363301575183868e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640687068128588e+09);
INSERT INTO "qpsearch_epochs" VALUES(10,0,2,1,1.0,1.0,3.32092726603150367736e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640687236356736e+09);
INSERT INTO "qpsearch_epochs" VALUES(10,0,3,1,1.0,1.0,4.98139089904725551605e-01,0,0.0,0.0,0.0,0,'r0-a1-e003.pt',1795646406.87395);
INSERT INTO "qpsearch_epochs" VALUES(11,0,1,1,1.0,1.0,2.40058594499714672565e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640688742733001e+09);
INSERT INTO "qpsearch_epochs" VALUES(11,0,2,1,1.0,1.0,4.8011718899942934513e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640688950800896e+09);
INSERT INTO "qpsearch_epochs" VALUES(11,0,3,1,1.0,1.0,0.720175783499144,0,0.0,0.0,0.0,0,'r0-a1-e003.pt',1.79564640689136624336e+09);
INSERT INTO "qpsearch_epochs" VALUES(11,0,4,1,1.0,1.0,9.60234377998858690261e-01,0,0.0,0.0,0.0,0,'r0-a1-e004.pt',1.79564640689301872247e+09);
INSERT INTO "qpsearch_epochs" VALUES(12,0,1,1,1.0,1.0,5.37720326101407408714e-02,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640690779805183e+09);
INSERT INTO "qpsearch_epochs" VALUES(13,0,1,1,1.0,1.0,6.30901522818021476268e-02,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.7956464069312613011e+09);
INSERT INTO "qpsearch_epochs" VALUES(13,0,2,1,1.0,1.0,1.26180304563604295253e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640693287181855e+09);
INSERT INTO "qpsearch_epochs" VALUES(13,0,3,1,1.0,1.0,1.8927045684540644288e-01,0,0.0,0.0,0.0,0,'r0-a1-e003.pt',1.79564640693421387679e+09);
INSERT INTO "qpsearch_epochs" VALUES(14,0,1,1,1.0,1.0,0.0450135642895475,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640694820141795e+09);
INSERT INTO "qpsearch_epochs" VALUES(15,0,1,1,1.0,1.0,2.24361621192656457424e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640696314072607e+09);
INSERT INTO "qpsearch_epochs" VALUES(15,0,2,1,1.0,1.0,4.48723242385312914848e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.7956464069648470879e+09);
INSERT INTO "qpsearch_epochs" VALUES(16,0,1,1,1.0,1.0,2.08020096644759178161e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640705765032769e+09);
INSERT INTO "qpsearch_epochs" VALUES(16,0,2,1,1.0,1.0,4.16040193289518356323e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640706268191334e+09);
INSERT INTO "qpsearch_epochs" VALUES(17,0,1,1,1.0,1.0,0.334452127921395,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640707206368448e+09);
INSERT INTO "qpsearch_epochs" VALUES(17,0,2,1,1.0,1.0,0.66890425584279,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640707396531104e+09);
INSERT INTO "qpsearch_epochs" VALUES(18,0,1,1,1.0,1.0,1.25409727450460195541e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640708151602747e+09);
INSERT INTO "qpsearch_epochs" VALUES(18,0,2,1,1.0,1.0,2.50819454900920391082e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640708349418643e+09);
INSERT INTO "qpsearch_epochs" VALUES(19,0,1,1,1.0,1.0,1.12170881358906626701e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640709065723419e+09);
INSERT INTO "qpsearch_epochs" VALUES(19,0,2,1,1.0,1.0,2.24341762717813253402e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640709240317352e+09);
INSERT INTO "qpsearch_epochs" VALUES(20,0,1,1,1.0,1.0,8.54544700123369693756e-02,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640709950947765e+09);
INSERT INTO "qpsearch_epochs" VALUES(20,0,2,1,1.0,1.0,1.70908940024673938751e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.7956464071012308598e+09);
INSERT INTO "qpsearch_epochs" VALUES(21,0,1,1,1.0,1.0,1.72363465768285095691e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640710772967331e+09);
INSERT INTO "qpsearch_epochs" VALUES(21,0,2,1,1.0,1.0,3.44726931536570191383e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640710948872567e+09);
INSERT INTO "qpsearch_epochs" VALUES(22,0,1,1,1.0,1.0,4.75110340863466262817e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640711512207987e+09);
INSERT INTO "qpsearch_epochs" VALUES(22,0,2,1,1.0,1.0,9.50220681726932525634e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640711701059344e+09);
INSERT INTO "qpsearch_epochs" VALUES(23,0,1,1,1.0,1.0,3.20688743726350367069e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.7956464071237838268e+09);
INSERT INTO "qpsearch_epochs" VALUES(23,0,2,1,1.0,1.0,6.41377487452700734138e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640712787055966e+09);
INSERT INTO "qpsearch_epochs" VALUES(24,0,1,1,1.0,1.0,1.69545761076733469963e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.7956464071338365078e+09);
INSERT INTO "qpsearch_epochs" VALUES(24,0,2,1,1.0,1.0,3.39091522153466939926e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640713525104521e+09);
INSERT INTO "qpsearch_epochs" VALUES(25,0,1,1,1.0,1.0,5.20774653414264321327e-02,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640714158153529e+09);
INSERT INTO "qpsearch_epochs" VALUES(25,0,2,1,1.0,1.0,1.04154930682852864265e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.7956464071431541443e+09);
INSERT INTO "qpsearch_epochs" VALUES(26,0,1,1,1.0,1.0,1.35435047559440135955e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640715493702887e+09);
INSERT INTO "qpsearch_epochs" VALUES(27,0,1,1,1.0,1.0,0.230009818294396,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640723448181152e+09);
INSERT INTO "qpsearch_epochs" VALUES(27,0,2,1,1.0,1.0,0.460019636588792,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.7956464072387878895e+09);
INSERT INTO "qpsearch_epochs" VALUES(27,0,3,1,1.0,1.0,0.690029454883188,0,0.0,0.0,0.0,0,'r0-a1-e003.pt',1.7956464072436087131e+09);
INSERT INTO "qpsearch_epochs" VALUES(27,1,1,1,1.0,1.0,0.230009818294396,0,0.0,0.0,0.0,0,'r1-a1-e001.pt',1.79564640724579906464e+09);
INSERT INTO "qpsearch_epochs" VALUES(27,1,2,1,1.0,1.0,0.460019636588792,0,0.0,0.0,0.0,0,'r1-a1-e002.pt',1.79564640724701380727e+09);
INSERT INTO "qpsearch_epochs" VALUES(27,1,3,1,1.0,1.0,0.690029454883188,0,0.0,0.0,0.0,0,'r1-a1-e003.pt',1.79564640724820899966e+09);
INSERT INTO "qpsearch_epochs" VALUES(28,0,1,1,1.0,1.0,2.38715228003760188135e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640725517725948e+09);
INSERT INTO "qpsearch_epochs" VALUES(28,0,2,1,1.0,1.0,4.77430456007520376271e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640725668931003e+09);
INSERT INTO "qpsearch_epochs" VALUES(28,0,3,1,1.0,1.0,7.16145684011280536651e-01,0,0.0,0.0,0.0,0,'r0-a1-e003.pt',1.79564640725798249244e+09);
INSERT INTO "qpsearch_epochs" VALUES(28,1,1,1,1.0,1.0,2.38715228003760188135e-01,0,0.0,0.0,0.0,0,'r1-a1-e001.pt',1.7956464072595720291e+09);
INSERT INTO "qpsearch_epochs" VALUES(28,1,2,1,1.0,1.0,4.77430456007520376271e-01,0,0.0,0.0,0.0,0,'r1-a1-e002.pt',1.79564640726087713243e+09);
INSERT INTO "qpsearch_epochs" VALUES(28,1,3,1,1.0,1.0,7.16145684011280536651e-01,0,0.0,0.0,0.0,0,'r1-a1-e003.pt',1.79564640726202130313e+09);
INSERT INTO "qpsearch_epochs" VALUES(29,0,1,1,1.0,1.0,3.28743820233891426152e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640726768946646e+09);
INSERT INTO "qpsearch_epochs" VALUES(29,0,2,1,1.0,1.0,6.57487640467782852304e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640726922774313e+09);
INSERT INTO "qpsearch_epochs" VALUES(29,0,3,1,1.0,1.0,9.86231460701674222946e-01,0,0.0,0.0,0.0,0,'r0-a1-e003.pt',1.79564640727080631257e+09);
INSERT INTO "qpsearch_epochs" VALUES(29,1,1,1,1.0,1.0,3.28743820233891426152e-01,0,0.0,0.0,0.0,0,'r1-a1-e001.pt',1.79564640727283740041e+09);
INSERT INTO "qpsearch_epochs" VALUES(29,1,2,1,1.0,1.0,6.57487640467782852304e-01,0,0.0,0.0,0.0,0,'r1-a1-e002.pt',1.79564640727437138559e+09);
INSERT INTO "qpsearch_epochs" VALUES(29,1,3,1,1.0,1.0,9.86231460701674222946e-01,0,0.0,0.0,0.0,0,'r1-a1-e003.pt',1.7956464072758648396e+09);
INSERT INTO "qpsearch_epochs" VALUES(30,0,1,1,1.0,1.0,1.10248533543199300765e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640728136706349e+09);
INSERT INTO "qpsearch_epochs" VALUES(30,0,2,1,1.0,1.0,2.20497067086398601531e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640728288340567e+09);
INSERT INTO "qpsearch_epochs" VALUES(31,0,1,1,1.0,1.0,9.15646230957160439656e-02,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640736089873316e+09);
INSERT INTO "qpsearch_epochs" VALUES(31,0,2,1,1.0,1.0,1.83129246191432087931e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640736774063108e+09);
INSERT INTO "qpsearch_epochs" VALUES(31,0,3,1,1.0,1.0,2.74693869287148118019e-01,0,0.0,0.0,0.0,0,'r0-a1-e003.pt',1.79564640736920976635e+09);
INSERT INTO "qpsearch_epochs" VALUES(31,1,1,1,1.0,1.0,9.15646230957160439656e-02,0,0.0,0.0,0.0,0,'r1-a1-e001.pt',1.79564640737104058267e+09);
INSERT INTO "qpsearch_epochs" VALUES(31,1,2,1,1.0,1.0,1.83129246191432087931e-01,0,0.0,0.0,0.0,0,'r1-a1-e002.pt',1.79564640737230205537e+09);
INSERT INTO "qpsearch_epochs" VALUES(31,1,3,1,1.0,1.0,2.74693869287148118019e-01,0,0.0,0.0,0.0,0,'r1-a1-e003.pt',1.79564640737340116497e+09);
INSERT INTO "qpsearch_epochs" VALUES(32,0,1,1,1.0,1.0,1.07442437593514725224e-01,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640738144659995e+09);
INSERT INTO "qpsearch_epochs" VALUES(32,0,2,1,1.0,1.0,2.14884875187029450449e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640738273620605e+09);
INSERT INTO "qpsearch_epochs" VALUES(32,0,3,1,1.0,1.0,3.22327312780544161796e-01,0,0.0,0.0,0.0,0,'r0-a1-e003.pt',1.79564640738410043717e+09);
INSERT INTO "qpsearch_epochs" VALUES(32,1,1,1,1.0,1.0,1.07442437593514725224e-01,0,0.0,0.0,0.0,0,'r1-a1-e001.pt',1795646407.38574);
INSERT INTO "qpsearch_epochs" VALUES(32,1,2,1,1.0,1.0,2.14884875187029450449e-01,0,0.0,0.0,0.0,0,'r1-a1-e002.pt',1.79564640738704442979e+09);
INSERT INTO "qpsearch_epochs" VALUES(32,1,3,1,1.0,1.0,3.22327312780544161796e-01,0,0.0,0.0,0.0,0,'r1-a1-e003.pt',1.79564640738817644111e+09);
INSERT INTO "qpsearch_epochs" VALUES(33,0,1,1,1.0,1.0,8.93532966729253530502e-02,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640739396190645e+09);
INSERT INTO "qpsearch_epochs" VALUES(33,0,2,1,1.0,1.0,1.787065933458507061e-01,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640739523220065e+09);
INSERT INTO "qpsearch_epochs" VALUES(33,0,3,1,1.0,1.0,2.6805989001877605915e-01,0,0.0,0.0,0.0,0,'r0-a1-e003.pt',1.79564640739662146565e+09);
INSERT INTO "qpsearch_epochs" VALUES(33,1,1,1,1.0,1.0,8.93532966729253530502e-02,0,0.0,0.0,0.0,0,'r1-a1-e001.pt',1.795646407398144722e+09);
INSERT INTO "qpsearch_epochs" VALUES(33,1,2,1,1.0,1.0,1.787065933458507061e-01,0,0.0,0.0,0.0,0,'r1-a1-e002.pt',1.79564640739921021466e+09);
INSERT INTO "qpsearch_epochs" VALUES(33,1,3,1,1.0,1.0,2.6805989001877605915e-01,0,0.0,0.0,0.0,0,'r1-a1-e003.pt',1.79564640740073299405e+09);
INSERT INTO "qpsearch_epochs" VALUES(34,0,1,1,1.0,1.0,4.75469239366551211373e-03,0,0.0,0.0,0.0,0,'r0-a1-e001.pt',1.79564640740756916999e+09);
INSERT INTO "qpsearch_epochs" VALUES(34,0,2,1,1.0,1.0,9.50938478733102422746e-03,0,0.0,0.0,0.0,0,'r0-a1-e002.pt',1.79564640740887427328e+09);
INSERT INTO "qpsearch_epochs" VALUES(34,0,3,1,1.0,1.0,1.42640771809965372085e-02,0,0.0,0.0,0.0,0,'r0-a1-e003.pt',1.79564640741030526159e+09);
INSERT INTO "qpsearch_epochs" VALUES(34,1,1,1,1.0,1.0,4.75469239366551211373e-03,0,0.0,0.0,0.0,0,'r1-a1-e001.pt',1.79564640741220974927e+09);
CREATE TABLE qpsearch_infeasible (
	infeasible_id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	params_json TEXT NOT NULL, 
	reason TEXT NOT NULL, revision INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (infeasible_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id) ON DELETE CASCADE
);
INSERT INTO "qpsearch_infeasible" VALUES(1,1,2,'{"n": [3.0, "{\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, \"step\": 1, \"low\": 1, \"high\": 3}}"], "network.stages.0.block": [1, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"additive\", \"quotient\", \"product_unit\"]}}"], "network.stages.1": [0, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"wide\", \"none\"]}}"], "network.stages.1.wide.block": [0, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"additive\", \"quotient_product_unit\"]}}"], "network.rules.norm": [0, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"batch\", \"group\"]}}"], "network.rules.quotient.alpha": [2.1037557301504197, "{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 1.3, \"high\": 2.2, \"log\": false}}"], "network.rules.quotient.learned_alpha": [0, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [null, \"layer\"]}}"], "training.batch_size": [48.0, "{\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, \"step\": 16, \"low\": 16, \"high\": 64}}"], "training.optimizer": [1, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"sgd\", \"adamw\"]}}"], "training.optimizer.adamw.lr": [0.00277414125216077, "{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.001, \"high\": 0.01, \"log\": true}}"]}','limit parameters <= 4,000: it has 4,614',11);
INSERT INTO "qpsearch_infeasible" VALUES(2,1,2,'{"n": [3.0, "{\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, \"step\": 1, \"low\": 1, \"high\": 3}}"], "network.stages.0.block": [2, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"additive\", \"quotient\", \"product_unit\"]}}"], "network.stages.1": [1, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"wide\", \"none\"]}}"], "network.rules.norm": [1, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"batch\", \"group\"]}}"], "network.rules.product_unit.exponent_clip": [0, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [null, 8.0]}}"], "training.batch_size": [32.0, "{\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, \"step\": 16, \"low\": 16, \"high\": 64}}"], "training.optimizer": [1, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"sgd\", \"adamw\"]}}"], "training.optimizer.adamw.lr": [0.0017171840136641881, "{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.001, \"high\": 0.01, \"log\": true}}"]}','forbid network.rules.norm == group and network.stages.0.block == product_unit',11);
INSERT INTO "qpsearch_infeasible" VALUES(3,1,2,'{"n": [3.0, "{\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, \"step\": 1, \"low\": 1, \"high\": 3}}"], "network.stages.0.block": [1, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"additive\", \"quotient\", \"product_unit\"]}}"], "network.stages.1": [0, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"wide\", \"none\"]}}"], "network.stages.1.wide.block": [0, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"additive\", \"quotient_product_unit\"]}}"], "network.rules.norm": [0, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"batch\", \"group\"]}}"], "network.rules.quotient.alpha": [1.4845322258412732, "{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 1.3, \"high\": 2.2, \"log\": false}}"], "network.rules.quotient.learned_alpha": [0, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [null, \"layer\"]}}"], "training.batch_size": [48.0, "{\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, \"step\": 16, \"low\": 16, \"high\": 64}}"], "training.optimizer": [1, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"sgd\", \"adamw\"]}}"], "training.optimizer.adamw.lr": [0.008319767101954482, "{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.001, \"high\": 0.01, \"log\": true}}"]}','limit parameters <= 4,000: it has 4,614',11);
INSERT INTO "qpsearch_infeasible" VALUES(4,1,6,'{"n": [3.0, "{\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, \"step\": 1, \"low\": 1, \"high\": 3}}"], "network.stages.0.block": [1, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"additive\", \"quotient\", \"product_unit\"]}}"], "network.stages.1": [0, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"wide\", \"none\"]}}"], "network.stages.1.wide.block": [0, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"additive\", \"quotient_product_unit\"]}}"], "network.rules.norm": [0, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"batch\", \"group\"]}}"], "network.rules.quotient.alpha": [2.1785154192642384, "{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 1.3, \"high\": 2.2, \"log\": false}}"], "network.rules.quotient.learned_alpha": [0, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [null, \"layer\"]}}"], "training.batch_size": [16.0, "{\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, \"step\": 16, \"low\": 16, \"high\": 64}}"], "training.optimizer": [0, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"sgd\", \"adamw\"]}}"], "training.optimizer.sgd.lr": [0.06979424085693084, "{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.01, \"high\": 0.5, \"log\": true}}"]}','limit parameters <= 4,000: it has 4,614',25);
INSERT INTO "qpsearch_infeasible" VALUES(5,1,12,'{"n": [1.0, "{\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, \"step\": 1, \"low\": 1, \"high\": 3}}"], "network.stages.0.block": [2, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"additive\", \"quotient\", \"product_unit\"]}}"], "network.stages.1": [0, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"wide\", \"none\"]}}"], "network.stages.1.wide.block": [1, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"additive\", \"quotient_product_unit\"]}}"], "network.rules.norm": [1, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"batch\", \"group\"]}}"], "network.rules.quotient.alpha": [1.5322754042839184, "{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 1.3, \"high\": 2.2, \"log\": false}}"], "network.rules.quotient.learned_alpha": [0, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [null, \"layer\"]}}"], "network.rules.product_unit.exponent_clip": [0, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [null, 8.0]}}"], "training.batch_size": [32.0, "{\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, \"step\": 16, \"low\": 16, \"high\": 64}}"], "training.optimizer": [0, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"sgd\", \"adamw\"]}}"], "training.optimizer.sgd.lr": [0.026790262261150832, "{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.01, \"high\": 0.5, \"log\": true}}"]}','forbid network.rules.norm == group and network.stages.0.block == product_unit',45);
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
	ended FLOAT, written INTEGER DEFAULT '0' NOT NULL, seconds FLOAT DEFAULT '0' NOT NULL, 
	PRIMARY KEY (lease_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id) ON DELETE CASCADE
);
INSERT INTO "qpsearch_leases" VALUES(1,1,'gone.example','3d1219c7c4c5404aaa1f6d2a48adfda4 dfda8008-b649-444e-8d62-162e45de1dd2 pid:[4026531836]',15949,476155.0,56,'released',1.79564640658816361429e+09,1.79564640696956944465e+09,55,3.61418833000243466813e-01);
INSERT INTO "qpsearch_leases" VALUES(2,2,'gone.example','3d1219c7c4c5404aaa1f6d2a48adfda4 dfda8008-b649-444e-8d62-162e45de1dd2 pid:[4026531836]',15949,476155.0,35,'released',1.79564640702599716184e+09,1.79564640715878391262e+09,34,1.16498865999346890021e-01);
INSERT INTO "qpsearch_leases" VALUES(3,3,'gone.example','3d1219c7c4c5404aaa1f6d2a48adfda4 dfda8008-b649-444e-8d62-162e45de1dd2 pid:[4026531836]',15949,476155.0,27,'released',1.79564640720522212982e+09,1.79564640728580474852e+09,26,6.39796169998589903116e-02);
INSERT INTO "qpsearch_leases" VALUES(4,4,'gone.example','3d1219c7c4c5404aaa1f6d2a48adfda4 dfda8008-b649-444e-8d62-162e45de1dd2 pid:[4026531836]',15949,476155.0,29,'released',1.7956464073338389396e+09,1.79564640741587638848e+09,28,6.8460325000160082709e-02);
CREATE TABLE qpsearch_runs (
	trial_id INTEGER NOT NULL, 
	replicate INTEGER NOT NULL, 
	seed BIGINT NOT NULL, 
	score FLOAT, 
	PRIMARY KEY (trial_id, replicate), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id) ON DELETE CASCADE
);
INSERT INTO "qpsearch_runs" VALUES(1,0,631656471,7.8590255160816013813e-01);
INSERT INTO "qpsearch_runs" VALUES(2,0,1323198611,5.02762015210464596748e-01);
INSERT INTO "qpsearch_runs" VALUES(3,0,26273881,NULL);
INSERT INTO "qpsearch_runs" VALUES(4,0,1239602034,7.48352776281535625457e-01);
INSERT INTO "qpsearch_runs" VALUES(5,0,3372715451,1.02238908642902970314e-01);
INSERT INTO "qpsearch_runs" VALUES(6,0,1303442921,NULL);
INSERT INTO "qpsearch_runs" VALUES(7,0,4224963803,NULL);
INSERT INTO "qpsearch_runs" VALUES(8,0,776243657,NULL);
INSERT INTO "qpsearch_runs" VALUES(9,0,1041852869,8.85437383549287915229e-01);
INSERT INTO "qpsearch_runs" VALUES(10,0,1818427399,NULL);
INSERT INTO "qpsearch_runs" VALUES(11,0,4247604059,9.60234377998858690261e-01);
INSERT INTO "qpsearch_runs" VALUES(12,0,2768641717,NULL);
INSERT INTO "qpsearch_runs" VALUES(13,0,3468957743,NULL);
INSERT INTO "qpsearch_runs" VALUES(14,0,2089897614,NULL);
INSERT INTO "qpsearch_runs" VALUES(15,0,1191850299,NULL);
INSERT INTO "qpsearch_runs" VALUES(16,0,3354561375,4.16040193289518356323e-01);
INSERT INTO "qpsearch_runs" VALUES(17,0,2008137650,0.66890425584279);
INSERT INTO "qpsearch_runs" VALUES(18,0,227197781,2.50819454900920391082e-01);
INSERT INTO "qpsearch_runs" VALUES(19,0,155738910,2.24341762717813253402e-01);
INSERT INTO "qpsearch_runs" VALUES(20,0,4269836075,1.70908940024673938751e-01);
INSERT INTO "qpsearch_runs" VALUES(21,0,3962022961,3.44726931536570191383e-01);
INSERT INTO "qpsearch_runs" VALUES(22,0,2624623417,9.50220681726932525634e-01);
INSERT INTO "qpsearch_runs" VALUES(23,0,3180983581,6.41377487452700734138e-01);
INSERT INTO "qpsearch_runs" VALUES(24,0,486038011,3.39091522153466939926e-01);
INSERT INTO "qpsearch_runs" VALUES(25,0,865580169,1.04154930682852864265e-01);
INSERT INTO "qpsearch_runs" VALUES(26,0,3460362471,NULL);
INSERT INTO "qpsearch_runs" VALUES(27,0,2465692271,0.690029454883188);
INSERT INTO "qpsearch_runs" VALUES(27,1,3204617612,0.690029454883188);
INSERT INTO "qpsearch_runs" VALUES(28,0,2781575758,7.16145684011280536651e-01);
INSERT INTO "qpsearch_runs" VALUES(28,1,966383648,7.16145684011280536651e-01);
INSERT INTO "qpsearch_runs" VALUES(29,0,246061183,9.86231460701674222946e-01);
INSERT INTO "qpsearch_runs" VALUES(29,1,2406675244,9.86231460701674222946e-01);
INSERT INTO "qpsearch_runs" VALUES(30,0,3265003700,NULL);
INSERT INTO "qpsearch_runs" VALUES(30,1,1461352215,NULL);
INSERT INTO "qpsearch_runs" VALUES(31,0,642785633,2.74693869287148118019e-01);
INSERT INTO "qpsearch_runs" VALUES(31,1,386882451,2.74693869287148118019e-01);
INSERT INTO "qpsearch_runs" VALUES(32,0,3556137597,3.22327312780544161796e-01);
INSERT INTO "qpsearch_runs" VALUES(32,1,1837985033,3.22327312780544161796e-01);
INSERT INTO "qpsearch_runs" VALUES(33,0,616809300,2.6805989001877605915e-01);
INSERT INTO "qpsearch_runs" VALUES(33,1,4147773415,2.6805989001877605915e-01);
INSERT INTO "qpsearch_runs" VALUES(34,0,3786093205,1.42640771809965372085e-02);
INSERT INTO "qpsearch_runs" VALUES(34,1,1706879104,NULL);
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
	created FLOAT NOT NULL, first_name VARCHAR(512) DEFAULT '''''' NOT NULL, revision INTEGER DEFAULT '0' NOT NULL, most_epochs BIGINT, most_s FLOAT, most_gpu_s FLOAT, 
	PRIMARY KEY (study_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id) ON DELETE CASCADE
);
INSERT INTO "qpsearch_studies" VALUES(1,'cbb35383a67e42d286285e92af966748','study: pruned
data: {dataset: digits, validation: 300}
network:
  stem: {width: 4}
  stages:
    - {width: 4, depth: {int: [1, 3], tie: n}, block: {choice: [additive, quotient, product_unit], prior: quotient}}
    - choice: {wide: {width: "2 * network.stem.width", depth: {tie: n}, block: {choice: [additive, quotient_product_unit]}}, none: []}
  rules:
    norm: {choice: [batch, group]}
    quotient: {alpha: {float: [1.3, 2.2]}, learned_alpha: {choice: [none, layer]}}
    product_unit: {exponent_clip: {choice: [none, 8]}}
training: {epochs: 4, batch_size: {int: [16, 64], step: 16}, optimizer: {choice: {sgd: {lr: {log: [0.01, 0.5]}}, adamw: {lr: {log: [0.001, 0.01]}}}}}
search: {sampler: tpe, pruner: hyperband, trials: 20, seed: 3, limits: {parameters: "<= 4K"}, forbid: [{network.rules.norm: group, network.stages.0.block: product_unit}]}
','spaces/x.yaml','{"data.dataset": "digits", "data.validation": "300", "data.augment": "[]", "network.stem.width": "4", "network.stem.kernel": "3", "network.stem.stride": "1", "network.stem.pool": "none", "network.stem.activation": "auto", "network.stages.0.width": "4", "network.stages.0.stride": "1", "network.stages.0.depth": "{int: [1, 3], tie: n}", "network.stages.0.block": "{choice: [additive, quotient, product_unit], prior: quotient, confidence: medium}", "network.stages.1": "{choice: [wide, none]}", "network.stages.1.wide.width": "= 2 * network.stem.width", "network.stages.1.wide.stride": "1", "network.stages.1.wide.depth": "{int: [1, 3], tie: n}", "network.stages.1.wide.block": "{choice: [additive, quotient_product_unit]}", "network.rules.branch": "basic", "network.rules.norm": "{choice: [batch, group]}", "network.rules.norm_placement": "post", "network.rules.init": "auto", "network.rules.shortcut": "conv3x3", "network.rules.quotient.activation": "sigmoid", "network.rules.quotient.alpha": "{float: [1.3, 2.2]}", "network.rules.quotient.floor": "0.0", "network.rules.quotient.through_one": "True", "network.rules.quotient.learned_alpha": "{choice: [none, layer]}", "network.rules.quotient.inner_activation": "relu", "network.rules.quotient.shortcut_activation": "quotient", "network.rules.quotient.output_activation": "none", "network.rules.product_unit.position": "second", "network.rules.product_unit.inner_activation": "none", "network.rules.product_unit.output_activation": "auto", "network.rules.product_unit.norms": "both", "network.rules.product_unit.positivity": "max", "network.rules.product_unit.threshold": "layer", "network.rules.product_unit.threshold_init": "0.0", "network.rules.product_unit.exponent_init": "small", "network.rules.product_unit.exponent_clip": "{choice: [none, 8.0]}", "network.rules.product_unit.padding": "after_log", "network.rules.product_unit.bias": "False", "network.rules.product_unit.mixing": "dense", "network.rules.product_unit.numbers": "real", "training.epochs": "4", "training.batch_size": "{int: [16, 64], step: 16}", "training.optimizer": "{choice: [sgd, adamw]}", "training.optimizer.sgd.lr": "{log: [0.01, 0.5]}", "training.optimizer.sgd.momentum": "0.9", "training.optimizer.sgd.weight_decay": "0.0001", "training.optimizer.adamw.lr": "{log: [0.001, 0.01]}", "training.optimizer.adamw.weight_decay": "0.01", "training.schedule": "step", "training.precision": "float32", "search.objective": "maximize val_accuracy", "search.score": "last", "search.sampler": "tpe", "search.pruner": "hyperband", "search.replicates": "1", "search.seed": "3", "search.limits.parameters": "<= 4,000", "search.forbid network.rules.norm == group and network.stages.0.block == product_unit": "yes"}','28fd862a4b263a73f69dc112b0285b31e59c3ade8cf0f12c1cf17329ceeb5d2e',3,20,'tpe','hyperband','{"gpus": null, "cpus": 1, "concurrent": null, "report_timeout_s": 7200.0}',NULL,'{}',1.79564640658816361429e+09,'pruned',55,NULL,NULL,NULL);
INSERT INTO "qpsearch_studies" VALUES(2,'be00d84f65864231911eb1f37780e3c6','study: several
data: {dataset: digits, validation: 300}
network:
  stem: {width: 4}
  stages:
    - {width: 4, depth: {int: [1, 3], tie: n}, block: {choice: [additive, quotient, product_unit], prior: quotient}}
    - choice: {wide: {width: "2 * network.stem.width", depth: {tie: n}, block: {choice: [additive, quotient_product_unit]}}, none: []}
  rules:
    norm: {choice: [batch, group]}
    quotient: {alpha: {float: [1.3, 2.2]}, learned_alpha: {choice: [none, layer]}}
    product_unit: {exponent_clip: {choice: [none, 8]}}
training: {epochs: 2, optimizer: {sgd: {lr: {log: [0.01, 0.5]}}}}
search: {objective: {maximize: val_accuracy, minimize: [parameters, macs]}, pruner: none, trials: 14, seed: 1}
','spaces/x.yaml','{"data.dataset": "digits", "data.validation": "300", "data.augment": "[]", "network.stem.width": "4", "network.stem.kernel": "3", "network.stem.stride": "1", "network.stem.pool": "none", "network.stem.activation": "auto", "network.stages.0.width": "4", "network.stages.0.stride": "1", "network.stages.0.depth": "{int: [1, 3], tie: n}", "network.stages.0.block": "{choice: [additive, quotient, product_unit], prior: quotient, confidence: medium}", "network.stages.1": "{choice: [wide, none]}", "network.stages.1.wide.width": "= 2 * network.stem.width", "network.stages.1.wide.stride": "1", "network.stages.1.wide.depth": "{int: [1, 3], tie: n}", "network.stages.1.wide.block": "{choice: [additive, quotient_product_unit]}", "network.rules.branch": "basic", "network.rules.norm": "{choice: [batch, group]}", "network.rules.norm_placement": "post", "network.rules.init": "auto", "network.rules.shortcut": "conv3x3", "network.rules.quotient.activation": "sigmoid", "network.rules.quotient.alpha": "{float: [1.3, 2.2]}", "network.rules.quotient.floor": "0.0", "network.rules.quotient.through_one": "True", "network.rules.quotient.learned_alpha": "{choice: [none, layer]}", "network.rules.quotient.inner_activation": "relu", "network.rules.quotient.shortcut_activation": "quotient", "network.rules.quotient.output_activation": "none", "network.rules.product_unit.position": "second", "network.rules.product_unit.inner_activation": "none", "network.rules.product_unit.output_activation": "auto", "network.rules.product_unit.norms": "both", "network.rules.product_unit.positivity": "max", "network.rules.product_unit.threshold": "layer", "network.rules.product_unit.threshold_init": "0.0", "network.rules.product_unit.exponent_init": "small", "network.rules.product_unit.exponent_clip": "{choice: [none, 8.0]}", "network.rules.product_unit.padding": "after_log", "network.rules.product_unit.bias": "False", "network.rules.product_unit.mixing": "dense", "network.rules.product_unit.numbers": "real", "training.epochs": "2", "training.batch_size": "128", "training.optimizer": "sgd", "training.optimizer.sgd.lr": "{log: [0.01, 0.5]}", "training.optimizer.sgd.momentum": "0.9", "training.optimizer.sgd.weight_decay": "0.0001", "training.schedule": "step", "training.precision": "float32", "search.objective": "maximize val_accuracy, minimize parameters, minimize macs", "search.score": "last", "search.sampler": "tpe", "search.pruner": "none", "search.replicates": "1", "search.seed": "1"}','d5b1892c754f1f036e7285631ad5398fac9af010be9699d874a4b9259818d029',1,14,'tpe','none','{"gpus": null, "cpus": 1, "concurrent": null, "report_timeout_s": 7200.0}',NULL,'{}',1.79564640702599716184e+09,'several',34,NULL,NULL,NULL);
INSERT INTO "qpsearch_studies" VALUES(3,'d47b29028c37447ea2077406eff4c942','study: grid
data: {dataset: digits, validation: 300, augment: [crop]}
network:
  stem: {width: 4}
  stages:
    - {width: 4, depth: {int: [1, 2]}, block: {choice: [additive, quotient]}}
training: {epochs: 3, schedule: {choice: [step, cosine]}}
search: {sampler: grid, replicates: 2, score: best}
','spaces/x.yaml','{"data.dataset": "digits", "data.validation": "300", "data.augment": "[crop]", "network.stem.width": "4", "network.stem.kernel": "3", "network.stem.stride": "1", "network.stem.pool": "none", "network.stem.activation": "auto", "network.stages.0.width": "4", "network.stages.0.stride": "1", "network.stages.0.depth": "{int: [1, 2]}", "network.stages.0.block": "{choice: [additive, quotient]}", "network.rules.branch": "basic", "network.rules.norm": "batch", "network.rules.norm_placement": "post", "network.rules.init": "auto", "network.rules.shortcut": "conv3x3", "network.rules.quotient.activation": "sigmoid", "network.rules.quotient.alpha": "by_depth", "network.rules.quotient.floor": "0.0", "network.rules.quotient.through_one": "True", "network.rules.quotient.learned_alpha": "none", "network.rules.quotient.inner_activation": "relu", "network.rules.quotient.shortcut_activation": "quotient", "network.rules.quotient.output_activation": "none", "network.rules.product_unit.position": "second", "network.rules.product_unit.inner_activation": "none", "network.rules.product_unit.output_activation": "auto", "network.rules.product_unit.norms": "both", "network.rules.product_unit.positivity": "max", "network.rules.product_unit.threshold": "layer", "network.rules.product_unit.threshold_init": "0.0", "network.rules.product_unit.exponent_init": "small", "network.rules.product_unit.exponent_clip": "8.0", "network.rules.product_unit.padding": "after_log", "network.rules.product_unit.bias": "False", "network.rules.product_unit.mixing": "dense", "network.rules.product_unit.numbers": "real", "training.epochs": "3", "training.batch_size": "128", "training.optimizer": "sgd", "training.optimizer.sgd.lr": "0.1", "training.optimizer.sgd.momentum": "0.9", "training.optimizer.sgd.weight_decay": "0.0001", "training.schedule": "{choice: [step, cosine]}", "training.precision": "float32", "search.objective": "maximize val_accuracy", "search.score": "best", "search.sampler": "grid", "search.pruner": "none", "search.replicates": "2", "search.seed": "0"}','6fa6b961f6e26c72a3a13f6ef15005cab10f083f102ea51a231b26d012e49fba',0,8,'grid','none','{"gpus": null, "cpus": 1, "concurrent": null, "report_timeout_s": 7200.0}',NULL,'{}',1.79564640720522212982e+09,'grid',26,NULL,NULL,NULL);
INSERT INTO "qpsearch_studies" VALUES(4,'6f3d1c45448d43bfa1ad7d0f999310b3','study: evenly
data: {dataset: digits, validation: 300}
network:
  stem: {width: 4}
  stages:
    - {width: 4, depth: {int: [1, 3], tie: n}, block: {choice: [additive, quotient, product_unit], prior: quotient}}
    - choice: {wide: {width: "2 * network.stem.width", depth: {tie: n}, block: {choice: [additive, quotient_product_unit]}}, none: []}
  rules:
    norm: {choice: [batch, group]}
    quotient: {alpha: {float: [1.3, 2.2]}, learned_alpha: {choice: [none, layer]}}
    product_unit: {exponent_clip: {choice: [none, 8]}}
training: {epochs: 3, optimizer: {sgd: {lr: {log: [0.01, 0.5], prior: 0.1, confidence: high}}}}
search: {sampler: random, pruner: median, trials: 9, seed: 5, replicates: 2}
','spaces/x.yaml','{"data.dataset": "digits", "data.validation": "300", "data.augment": "[]", "network.stem.width": "4", "network.stem.kernel": "3", "network.stem.stride": "1", "network.stem.pool": "none", "network.stem.activation": "auto", "network.stages.0.width": "4", "network.stages.0.stride": "1", "network.stages.0.depth": "{int: [1, 3], tie: n}", "network.stages.0.block": "{choice: [additive, quotient, product_unit], prior: quotient, confidence: medium}", "network.stages.1": "{choice: [wide, none]}", "network.stages.1.wide.width": "= 2 * network.stem.width", "network.stages.1.wide.stride": "1", "network.stages.1.wide.depth": "{int: [1, 3], tie: n}", "network.stages.1.wide.block": "{choice: [additive, quotient_product_unit]}", "network.rules.branch": "basic", "network.rules.norm": "{choice: [batch, group]}", "network.rules.norm_placement": "post", "network.rules.init": "auto", "network.rules.shortcut": "conv3x3", "network.rules.quotient.activation": "sigmoid", "network.rules.quotient.alpha": "{float: [1.3, 2.2]}", "network.rules.quotient.floor": "0.0", "network.rules.quotient.through_one": "True", "network.rules.quotient.learned_alpha": "{choice: [none, layer]}", "network.rules.quotient.inner_activation": "relu", "network.rules.quotient.shortcut_activation": "quotient", "network.rules.quotient.output_activation": "none", "network.rules.product_unit.position": "second", "network.rules.product_unit.inner_activation": "none", "network.rules.product_unit.output_activation": "auto", "network.rules.product_unit.norms": "both", "network.rules.product_unit.positivity": "max", "network.rules.product_unit.threshold": "layer", "network.rules.product_unit.threshold_init": "0.0", "network.rules.product_unit.exponent_init": "small", "network.rules.product_unit.exponent_clip": "{choice: [none, 8.0]}", "network.rules.product_unit.padding": "after_log", "network.rules.product_unit.bias": "False", "network.rules.product_unit.mixing": "dense", "network.rules.product_unit.numbers": "real", "training.epochs": "3", "training.batch_size": "128", "training.optimizer": "sgd", "training.optimizer.sgd.lr": "{log: [0.01, 0.5], prior: 0.1, confidence: high}", "training.optimizer.sgd.momentum": "0.9", "training.optimizer.sgd.weight_decay": "0.0001", "training.schedule": "step", "training.precision": "float32", "search.objective": "maximize val_accuracy", "search.score": "last", "search.sampler": "random", "search.pruner": "median", "search.replicates": "2", "search.seed": "5"}','a6f05d549f2c20cff095aebb39ceafcd4f9bc9a4392fcee0b45017efbb72799a',5,9,'random','median','{"gpus": null, "cpus": 1, "concurrent": null, "report_timeout_s": 7200.0}',NULL,'{}',1.7956464073338389396e+09,'evenly',28,NULL,NULL,NULL);
CREATE TABLE qpsearch_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT qpsearch_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "qpsearch_version" VALUES('0002');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'pruned');
INSERT INTO "studies" VALUES(2,'several');
INSERT INTO "studies" VALUES(3,'grid');
INSERT INTO "studies" VALUES(4,'evenly');
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
INSERT INTO "study_directions" VALUES(2,'MAXIMIZE',2,0);
INSERT INTO "study_directions" VALUES(3,'MINIMIZE',2,1);
INSERT INTO "study_directions" VALUES(4,'MINIMIZE',2,2);
INSERT INTO "study_directions" VALUES(5,'MAXIMIZE',3,0);
INSERT INTO "study_directions" VALUES(6,'MAXIMIZE',4,0);
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
INSERT INTO "trial_intermediate_values" VALUES(1,1,1,1.96475637902040034532e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(2,1,2,3.92951275804080069065e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(3,1,3,5.89426913706120103597e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(4,1,4,7.8590255160816013813e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(5,2,1,1.25690503802616149187e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(6,2,2,2.51381007605232298374e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(7,2,3,3.77071511407848447561e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(8,2,4,5.02762015210464596748e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(9,3,1,5.37238341057673096656e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(10,4,1,1.87088194070383906364e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(11,4,2,3.74176388140767812728e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(12,4,3,5.61264582211151719093e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(13,4,4,7.48352776281535625457e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(14,5,1,2.55597271607257425785e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(15,5,2,5.1119454321451485157e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(16,5,3,7.66791814821772277355e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(17,5,4,1.02238908642902970314e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(18,6,1,1.44587333605159074068e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(19,7,1,1.48290781013201922178e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(20,8,1,6.08128603780642151832e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(21,9,1,2.21359345887321978807e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(22,9,2,4.42718691774643957614e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(23,9,3,6.64078037661965936422e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(24,9,4,8.85437383549287915229e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(25,10,1,1.66046363301575183868e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(26,10,2,3.32092726603150367736e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(27,10,3,4.98139089904725551605e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(28,11,1,2.40058594499714672565e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(29,11,2,4.8011718899942934513e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(30,11,3,0.720175783499144,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(31,11,4,9.60234377998858690261e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(32,12,1,5.37720326101407408714e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(33,13,1,6.30901522818021476268e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(34,13,2,1.26180304563604295253e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(35,13,3,1.8927045684540644288e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(36,14,1,0.0450135642895475,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(37,15,1,2.24361621192656457424e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(38,15,2,4.48723242385312914848e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(39,16,1,2.08020096644759178161e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(40,16,2,4.16040193289518356323e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(41,17,1,0.334452127921395,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(42,17,2,0.66890425584279,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(43,18,1,1.25409727450460195541e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(44,18,2,2.50819454900920391082e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(45,19,1,1.12170881358906626701e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(46,19,2,2.24341762717813253402e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(47,20,1,8.54544700123369693756e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(48,20,2,1.70908940024673938751e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(49,21,1,1.72363465768285095691e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(50,21,2,3.44726931536570191383e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(51,22,1,4.75110340863466262817e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(52,22,2,9.50220681726932525634e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(53,23,1,3.20688743726350367069e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(54,23,2,6.41377487452700734138e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(55,24,1,1.69545761076733469963e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(56,24,2,3.39091522153466939926e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(57,25,1,5.20774653414264321327e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(58,25,2,1.04154930682852864265e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(59,26,1,1.35435047559440135955e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(60,27,1,0.230009818294396,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(61,27,2,0.460019636588792,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(62,27,3,0.690029454883188,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(63,28,1,2.38715228003760188135e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(64,28,2,4.77430456007520376271e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(65,28,3,7.16145684011280536651e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(66,29,1,3.28743820233891426152e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(67,29,2,6.57487640467782852304e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(68,29,3,9.86231460701674222946e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(69,30,1,1.10248533543199300765e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(70,30,2,2.20497067086398601531e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(71,31,1,9.15646230957160439656e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(72,31,2,1.83129246191432087931e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(73,31,3,2.74693869287148118019e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(74,32,1,1.07442437593514725224e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(75,32,2,2.14884875187029450449e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(76,32,3,3.22327312780544161796e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(77,33,1,8.93532966729253530502e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(78,33,2,1.787065933458507061e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(79,33,3,2.6805989001877605915e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(80,34,1,4.75469239366551211373e-03,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(81,34,2,9.50938478733102422746e-03,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(82,34,3,1.42640771809965372085e-02,'FINITE');
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
INSERT INTO "trial_params" VALUES(1,1,'n',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(2,1,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(3,1,'network.stages.1',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(4,1,'network.stages.1.wide.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient_product_unit"]}}');
INSERT INTO "trial_params" VALUES(5,1,'network.rules.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(6,1,'network.rules.quotient.alpha',1.93684195171516293498e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(7,1,'network.rules.quotient.learned_alpha',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(8,1,'training.batch_size',64.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 16, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(9,1,'training.optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adamw"]}}');
INSERT INTO "trial_params" VALUES(10,1,'training.optimizer.sgd.lr',1.17337017923610387876e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(11,2,'n',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(12,2,'network.stages.0.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(13,2,'network.stages.1',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(14,2,'network.rules.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(15,2,'training.batch_size',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 16, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(16,2,'training.optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adamw"]}}');
INSERT INTO "trial_params" VALUES(17,2,'training.optimizer.sgd.lr',1.10259724776446896288e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(18,3,'n',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(19,3,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(20,3,'network.stages.1',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(21,3,'network.rules.norm',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(22,3,'network.rules.quotient.alpha',1.69305390811137224105e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(23,3,'network.rules.quotient.learned_alpha',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(24,3,'training.batch_size',32.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 16, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(25,3,'training.optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adamw"]}}');
INSERT INTO "trial_params" VALUES(26,3,'training.optimizer.sgd.lr',1.81901171391480598327e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(27,4,'n',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(28,4,'network.stages.0.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(29,4,'network.stages.1',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(30,4,'network.stages.1.wide.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient_product_unit"]}}');
INSERT INTO "trial_params" VALUES(31,4,'network.rules.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(32,4,'network.rules.quotient.alpha',1.66934438665234319287e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(33,4,'network.rules.quotient.learned_alpha',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(34,4,'network.rules.product_unit.exponent_clip',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, 8.0]}}');
INSERT INTO "trial_params" VALUES(35,4,'training.batch_size',48.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 16, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(36,4,'training.optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adamw"]}}');
INSERT INTO "trial_params" VALUES(37,4,'training.optimizer.sgd.lr',2.24421052183913921629e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(38,5,'n',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(39,5,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(40,5,'network.stages.1',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(41,5,'network.rules.norm',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(42,5,'network.rules.quotient.alpha',2.10752368161989789285e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(43,5,'network.rules.quotient.learned_alpha',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(44,5,'training.batch_size',32.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 16, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(45,5,'training.optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adamw"]}}');
INSERT INTO "trial_params" VALUES(46,5,'training.optimizer.sgd.lr',1.59243365596179464738e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(47,6,'n',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(48,6,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(49,6,'network.stages.1',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(50,6,'network.stages.1.wide.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient_product_unit"]}}');
INSERT INTO "trial_params" VALUES(51,6,'network.rules.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(52,6,'network.rules.quotient.alpha',1.64022182629577750745e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(53,6,'network.rules.quotient.learned_alpha',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(54,6,'training.batch_size',32.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 16, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(55,6,'training.optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adamw"]}}');
INSERT INTO "trial_params" VALUES(56,6,'training.optimizer.sgd.lr',2.13743603823809052988e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(57,7,'n',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(58,7,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(59,7,'network.stages.1',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(60,7,'network.stages.1.wide.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient_product_unit"]}}');
INSERT INTO "trial_params" VALUES(61,7,'network.rules.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(62,7,'network.rules.quotient.alpha',1.95804313529396201154e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(63,7,'network.rules.quotient.learned_alpha',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(64,7,'network.rules.product_unit.exponent_clip',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, 8.0]}}');
INSERT INTO "trial_params" VALUES(65,7,'training.batch_size',64.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 16, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(66,7,'training.optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adamw"]}}');
INSERT INTO "trial_params" VALUES(67,7,'training.optimizer.sgd.lr',4.22186041147259716321e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(68,8,'n',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(69,8,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(70,8,'network.stages.1',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(71,8,'network.stages.1.wide.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient_product_unit"]}}');
INSERT INTO "trial_params" VALUES(72,8,'network.rules.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(73,8,'network.rules.quotient.alpha',1.71067447841632058747e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(74,8,'network.rules.quotient.learned_alpha',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(75,8,'network.rules.product_unit.exponent_clip',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, 8.0]}}');
INSERT INTO "trial_params" VALUES(76,8,'training.batch_size',64.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 16, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(77,8,'training.optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adamw"]}}');
INSERT INTO "trial_params" VALUES(78,8,'training.optimizer.sgd.lr',4.22627060169409096701e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(79,9,'n',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(80,9,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(81,9,'network.stages.1',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(82,9,'network.stages.1.wide.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient_product_unit"]}}');
INSERT INTO "trial_params" VALUES(83,9,'network.rules.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(84,9,'network.rules.quotient.alpha',1.85957652386778,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(85,9,'network.rules.quotient.learned_alpha',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(86,9,'network.rules.product_unit.exponent_clip',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, 8.0]}}');
INSERT INTO "trial_params" VALUES(87,9,'training.batch_size',32.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 16, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(88,9,'training.optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adamw"]}}');
INSERT INTO "trial_params" VALUES(89,9,'training.optimizer.sgd.lr',3.72257365807917087185e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(90,10,'n',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(91,10,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(92,10,'network.stages.1',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(93,10,'network.stages.1.wide.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient_product_unit"]}}');
INSERT INTO "trial_params" VALUES(94,10,'network.rules.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(95,10,'network.rules.quotient.alpha',1.89786852518722182203e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(96,10,'network.rules.quotient.learned_alpha',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(97,10,'network.rules.product_unit.exponent_clip',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, 8.0]}}');
INSERT INTO "trial_params" VALUES(98,10,'training.batch_size',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 16, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(99,10,'training.optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adamw"]}}');
INSERT INTO "trial_params" VALUES(100,10,'training.optimizer.sgd.lr',2.748653192127912398e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(101,11,'n',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(102,11,'network.stages.0.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(103,11,'network.stages.1',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(104,11,'network.stages.1.wide.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient_product_unit"]}}');
INSERT INTO "trial_params" VALUES(105,11,'network.rules.norm',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(106,11,'network.rules.quotient.alpha',1.87304237774827497808e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(107,11,'network.rules.quotient.learned_alpha',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(108,11,'network.rules.product_unit.exponent_clip',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, 8.0]}}');
INSERT INTO "trial_params" VALUES(109,11,'training.batch_size',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 16, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(110,11,'training.optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adamw"]}}');
INSERT INTO "trial_params" VALUES(111,11,'training.optimizer.sgd.lr',2.54645325127542641874e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(112,12,'n',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(113,12,'network.stages.0.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(114,12,'network.stages.1',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(115,12,'network.stages.1.wide.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient_product_unit"]}}');
INSERT INTO "trial_params" VALUES(116,12,'network.rules.norm',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(117,12,'network.rules.quotient.alpha',1.81671986238891092213e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(118,12,'network.rules.quotient.learned_alpha',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(119,12,'network.rules.product_unit.exponent_clip',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, 8.0]}}');
INSERT INTO "trial_params" VALUES(120,12,'training.batch_size',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 16, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(121,12,'training.optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adamw"]}}');
INSERT INTO "trial_params" VALUES(122,12,'training.optimizer.sgd.lr',6.47485821419530593878e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(123,13,'n',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(124,13,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(125,13,'network.stages.1',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(126,13,'network.stages.1.wide.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient_product_unit"]}}');
INSERT INTO "trial_params" VALUES(127,13,'network.rules.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(128,13,'network.rules.quotient.alpha',1.3174745634175371034e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(129,13,'network.rules.quotient.learned_alpha',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(130,13,'network.rules.product_unit.exponent_clip',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, 8.0]}}');
INSERT INTO "trial_params" VALUES(131,13,'training.batch_size',32.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 16, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(132,13,'training.optimizer',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adamw"]}}');
INSERT INTO "trial_params" VALUES(133,13,'training.optimizer.adamw.lr',7.47826145542926194742e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(134,14,'n',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(135,14,'network.stages.0.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(136,14,'network.stages.1',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(137,14,'network.stages.1.wide.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient_product_unit"]}}');
INSERT INTO "trial_params" VALUES(138,14,'network.rules.norm',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(139,14,'network.rules.quotient.alpha',1.83104422938066635495e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(140,14,'network.rules.quotient.learned_alpha',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(141,14,'network.rules.product_unit.exponent_clip',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, 8.0]}}');
INSERT INTO "trial_params" VALUES(142,14,'training.batch_size',32.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 16, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(143,14,'training.optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adamw"]}}');
INSERT INTO "trial_params" VALUES(144,14,'training.optimizer.sgd.lr',7.94378228782141315722e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(145,15,'n',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(146,15,'network.stages.0.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(147,15,'network.stages.1',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(148,15,'network.stages.1.wide.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient_product_unit"]}}');
INSERT INTO "trial_params" VALUES(149,15,'network.rules.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(150,15,'network.rules.quotient.alpha',2.16993133759289769102e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(151,15,'network.rules.quotient.learned_alpha',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(152,15,'network.rules.product_unit.exponent_clip',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, 8.0]}}');
INSERT INTO "trial_params" VALUES(153,15,'training.batch_size',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 16, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(154,15,'training.optimizer',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adamw"]}}');
INSERT INTO "trial_params" VALUES(155,15,'training.optimizer.adamw.lr',1.02176311690828640517e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(156,16,'n',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(157,16,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(158,16,'network.stages.1',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(159,16,'network.rules.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(160,16,'network.rules.quotient.alpha',1.76023520989253157154e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(161,16,'network.rules.quotient.learned_alpha',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(162,16,'training.optimizer.sgd.lr',1.33933847628233317766e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(163,17,'n',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(164,17,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(165,17,'network.stages.1',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(166,17,'network.rules.norm',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(167,17,'network.rules.quotient.alpha',1.84231480159389704454e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(168,17,'network.rules.quotient.learned_alpha',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(169,17,'training.optimizer.sgd.lr',2.4761462472468548368e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(170,18,'n',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(171,18,'network.stages.0.block',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(172,18,'network.stages.1',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(173,18,'network.stages.1.wide.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient_product_unit"]}}');
INSERT INTO "trial_params" VALUES(174,18,'network.rules.norm',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(175,18,'network.rules.quotient.alpha',1.67854607077280593152e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(176,18,'network.rules.quotient.learned_alpha',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(177,18,'network.rules.product_unit.exponent_clip',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, 8.0]}}');
INSERT INTO "trial_params" VALUES(178,18,'training.optimizer.sgd.lr',3.0842364352372069608e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(179,19,'n',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(180,19,'network.stages.0.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(181,19,'network.stages.1',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(182,19,'network.stages.1.wide.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient_product_unit"]}}');
INSERT INTO "trial_params" VALUES(183,19,'network.rules.norm',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(184,19,'network.rules.quotient.alpha',1.57679783028293507562e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(185,19,'network.rules.quotient.learned_alpha',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(186,19,'network.rules.product_unit.exponent_clip',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, 8.0]}}');
INSERT INTO "trial_params" VALUES(187,19,'training.optimizer.sgd.lr',1.1074796361589916982e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(188,20,'n',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(189,20,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(190,20,'network.stages.1',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(191,20,'network.stages.1.wide.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient_product_unit"]}}');
INSERT INTO "trial_params" VALUES(192,20,'network.rules.norm',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(193,20,'network.rules.quotient.alpha',1.8350936247022140435e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(194,20,'network.rules.quotient.learned_alpha',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(195,20,'network.rules.product_unit.exponent_clip',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, 8.0]}}');
INSERT INTO "trial_params" VALUES(196,20,'training.optimizer.sgd.lr',3.33236612290882597275e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(197,21,'n',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(198,21,'network.stages.0.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(199,21,'network.stages.1',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(200,21,'network.stages.1.wide.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient_product_unit"]}}');
INSERT INTO "trial_params" VALUES(201,21,'network.rules.norm',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(202,21,'training.optimizer.sgd.lr',3.28759998514345452846e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(203,22,'n',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(204,22,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(205,22,'network.stages.1',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(206,22,'network.rules.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(207,22,'network.rules.quotient.alpha',1.93862959183124727857e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(208,22,'network.rules.quotient.learned_alpha',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(209,22,'training.optimizer.sgd.lr',1.12162827250301300185e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(210,23,'n',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(211,23,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(212,23,'network.stages.1',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(213,23,'network.rules.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(214,23,'network.rules.quotient.alpha',1.7313390609621630567e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(215,23,'network.rules.quotient.learned_alpha',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(216,23,'training.optimizer.sgd.lr',4.00623173933100373833e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(217,24,'n',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(218,24,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(219,24,'network.stages.1',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(220,24,'network.rules.norm',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(221,24,'network.rules.quotient.alpha',2.02449500545456873012e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(222,24,'network.rules.quotient.learned_alpha',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(223,24,'training.optimizer.sgd.lr',1.12097728441019582612e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(224,25,'n',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(225,25,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(226,25,'network.stages.1',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(227,25,'network.rules.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(228,25,'network.rules.quotient.alpha',1.93967192082879735792e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(229,25,'network.rules.quotient.learned_alpha',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(230,25,'training.optimizer.sgd.lr',1.0076188448628103228e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(231,26,'n',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(232,26,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(233,26,'network.stages.1',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(234,26,'network.rules.norm',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(235,26,'network.rules.quotient.alpha',1.30725421120055229629e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(236,26,'network.rules.quotient.learned_alpha',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(237,26,'training.optimizer.sgd.lr',7.94659759313567082283e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(238,27,'network.stages.0.depth',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 2}}');
INSERT INTO "trial_params" VALUES(239,27,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient"]}}');
INSERT INTO "trial_params" VALUES(240,27,'training.schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["step", "cosine"]}}');
INSERT INTO "trial_params" VALUES(241,28,'network.stages.0.depth',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 2}}');
INSERT INTO "trial_params" VALUES(242,28,'network.stages.0.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient"]}}');
INSERT INTO "trial_params" VALUES(243,28,'training.schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["step", "cosine"]}}');
INSERT INTO "trial_params" VALUES(244,29,'network.stages.0.depth',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 2}}');
INSERT INTO "trial_params" VALUES(245,29,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient"]}}');
INSERT INTO "trial_params" VALUES(246,29,'training.schedule',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["step", "cosine"]}}');
INSERT INTO "trial_params" VALUES(247,30,'network.stages.0.depth',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 2}}');
INSERT INTO "trial_params" VALUES(248,30,'network.stages.0.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient"]}}');
INSERT INTO "trial_params" VALUES(249,30,'training.schedule',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["step", "cosine"]}}');
INSERT INTO "trial_params" VALUES(250,31,'n',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(251,31,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(252,31,'network.stages.1',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(253,31,'network.stages.1.wide.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient_product_unit"]}}');
INSERT INTO "trial_params" VALUES(254,31,'network.rules.norm',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(255,31,'network.rules.quotient.alpha',2.10973518327642883818e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(256,31,'network.rules.quotient.learned_alpha',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(257,31,'network.rules.product_unit.exponent_clip',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, 8.0]}}');
INSERT INTO "trial_params" VALUES(258,31,'training.optimizer.sgd.lr',0.1,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(259,32,'n',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(260,32,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(261,32,'network.stages.1',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(262,32,'network.rules.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(263,32,'network.rules.quotient.alpha',2.0810473352410450154e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(264,32,'network.rules.quotient.learned_alpha',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(265,32,'training.optimizer.sgd.lr',5.47513344763993353714e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(266,33,'n',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(267,33,'network.stages.0.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(268,33,'network.stages.1',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(269,33,'network.rules.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(270,33,'network.rules.quotient.alpha',1.80939013508812274189e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(271,33,'network.rules.quotient.learned_alpha',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(272,33,'training.optimizer.sgd.lr',1.55350057564213883676e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
INSERT INTO "trial_params" VALUES(273,34,'n',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(274,34,'network.stages.0.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient", "product_unit"]}}');
INSERT INTO "trial_params" VALUES(275,34,'network.stages.1',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["wide", "none"]}}');
INSERT INTO "trial_params" VALUES(276,34,'network.stages.1.wide.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["additive", "quotient_product_unit"]}}');
INSERT INTO "trial_params" VALUES(277,34,'network.rules.norm',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "group"]}}');
INSERT INTO "trial_params" VALUES(278,34,'network.rules.quotient.alpha',1.58278223203587531386e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.3, "high": 2.2, "log": false}}');
INSERT INTO "trial_params" VALUES(279,34,'network.rules.quotient.learned_alpha',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, "layer"]}}');
INSERT INTO "trial_params" VALUES(280,34,'network.rules.product_unit.exponent_clip',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [null, 8.0]}}');
INSERT INTO "trial_params" VALUES(281,34,'training.optimizer.sgd.lr',1.16457726723582146582e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.5, "log": true}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_system_attributes" VALUES(1,1,'fixed_params','{"network.stages.0.block": "quotient"}');
INSERT INTO "trial_system_attributes" VALUES(2,1,'completed_rung_0','0.19647563790204003');
INSERT INTO "trial_system_attributes" VALUES(3,1,'completed_rung_1','0.5894269137061201');
INSERT INTO "trial_system_attributes" VALUES(4,2,'completed_rung_0','0.12569050380261615');
INSERT INTO "trial_system_attributes" VALUES(5,2,'completed_rung_1','0.37707151140784845');
INSERT INTO "trial_system_attributes" VALUES(6,3,'completed_rung_0','0.05372383410576731');
INSERT INTO "trial_system_attributes" VALUES(7,4,'completed_rung_0','0.1870881940703839');
INSERT INTO "trial_system_attributes" VALUES(8,4,'completed_rung_1','0.5612645822111517');
INSERT INTO "trial_system_attributes" VALUES(9,5,'fixed_params','{"network.stages.0.block": "quotient"}');
INSERT INTO "trial_system_attributes" VALUES(10,5,'completed_rung_0','0.07667918148217723');
INSERT INTO "trial_system_attributes" VALUES(11,6,'fixed_params','{"network.stages.0.block": "quotient"}');
INSERT INTO "trial_system_attributes" VALUES(12,6,'completed_rung_0','0.14458733360515907');
INSERT INTO "trial_system_attributes" VALUES(13,7,'fixed_params','{"network.stages.0.block": "quotient"}');
INSERT INTO "trial_system_attributes" VALUES(14,7,'tpe:relative_params:0','"{\"n\": 2, \"network.rules.norm\": \"batch\", \"network.stages.0.block\": \"additive\", \"network.stages.1\": \"wide\", \"training.batch_size\": 64, \"training.optimizer\": \"sgd\", \"training.optimizer.sgd.lr\": 0.04221860411472597, \"network.rules.quotient.alpha\": 1.958043135293962, \"network.rules.quotient.learned_alpha\": \"layer\", \"network.stages.1.wide.block\": \"quotient_product_unit\", \"training.optimizer.adamw.lr\": 0.00969221387520434, \"network.rules.product_unit.exponent_clip\": 8.0}"');
INSERT INTO "trial_system_attributes" VALUES(15,7,'completed_rung_0','0.14829078101320192');
INSERT INTO "trial_system_attributes" VALUES(16,8,'fixed_params','{"network.stages.0.block": "quotient"}');
INSERT INTO "trial_system_attributes" VALUES(17,8,'tpe:relative_params:0','"{\"n\": 1, \"network.rules.norm\": \"batch\", \"network.stages.0.block\": \"additive\", \"network.stages.1\": \"wide\", \"training.batch_size\": 64, \"training.optimizer\": \"sgd\", \"training.optimizer.sgd.lr\": 0.4226270601694091, \"network.rules.quotient.alpha\": 1.7106744784163206, \"network.rules.quotient.learned_alpha\": null, \"network.stages.1.wide.block\": \"quotient_product_unit\", \"training.optimizer.adamw.lr\": 0.00996540427257857, \"network.rules.product_unit.exponent_clip\": null}"');
INSERT INTO "trial_system_attributes" VALUES(18,8,'completed_rung_0','0.060812860378064215');
INSERT INTO "trial_system_attributes" VALUES(19,9,'fixed_params','{"network.stages.0.block": "quotient"}');
INSERT INTO "trial_system_attributes" VALUES(20,9,'tpe:relative_params:0','"{\"n\": 1, \"network.rules.norm\": \"batch\", \"network.stages.0.block\": \"additive\", \"network.stages.1\": \"wide\", \"training.batch_size\": 32, \"training.optimizer\": \"sgd\", \"training.optimizer.sgd.lr\": 0.03722573658079171, \"network.rules.quotient.alpha\": 1.85957652386778, \"network.rules.quotient.learned_alpha\": null, \"network.stages.1.wide.block\": \"quotient_product_unit\", \"training.optimizer.adamw.lr\": 0.009075041931512332, \"network.rules.product_unit.exponent_clip\": null}"');
INSERT INTO "trial_system_attributes" VALUES(21,9,'completed_rung_0','0.6640780376619659');
INSERT INTO "trial_system_attributes" VALUES(22,10,'tpe:relative_params:0','"{\"n\": 1, \"network.rules.norm\": \"batch\", \"network.stages.0.block\": \"quotient\", \"network.stages.1\": \"wide\", \"training.batch_size\": 16, \"training.optimizer\": \"sgd\", \"training.optimizer.sgd.lr\": 0.027486531921279124, \"network.rules.quotient.alpha\": 1.8978685251872218, \"network.rules.quotient.learned_alpha\": null, \"network.stages.1.wide.block\": \"quotient_product_unit\", \"training.optimizer.adamw.lr\": 0.009556321874447344, \"network.rules.product_unit.exponent_clip\": 8.0}"');
INSERT INTO "trial_system_attributes" VALUES(23,10,'completed_rung_0','0.49813908990472555');
INSERT INTO "trial_system_attributes" VALUES(24,11,'tpe:relative_params:0','"{\"n\": 1, \"network.rules.norm\": \"group\", \"network.stages.0.block\": \"additive\", \"network.stages.1\": \"wide\", \"training.batch_size\": 16, \"training.optimizer\": \"sgd\", \"training.optimizer.sgd.lr\": 0.025464532512754264, \"network.rules.quotient.alpha\": 1.873042377748275, \"network.rules.quotient.learned_alpha\": null, \"network.stages.1.wide.block\": \"quotient_product_unit\", \"training.optimizer.adamw.lr\": 0.009327402844454418, \"network.rules.product_unit.exponent_clip\": null}"');
INSERT INTO "trial_system_attributes" VALUES(25,11,'completed_rung_0','0.24005859449971467');
INSERT INTO "trial_system_attributes" VALUES(26,11,'completed_rung_1','0.720175783499144');
INSERT INTO "trial_system_attributes" VALUES(27,12,'tpe:relative_params:0','"{\"n\": 1, \"network.rules.norm\": \"group\", \"network.stages.0.block\": \"additive\", \"network.stages.1\": \"wide\", \"training.batch_size\": 16, \"training.optimizer\": \"sgd\", \"training.optimizer.sgd.lr\": 0.06474858214195306, \"network.rules.quotient.alpha\": 1.816719862388911, \"network.rules.quotient.learned_alpha\": null, \"network.stages.1.wide.block\": \"quotient_product_unit\", \"training.optimizer.adamw.lr\": 0.009874451705665081, \"network.rules.product_unit.exponent_clip\": null}"');
INSERT INTO "trial_system_attributes" VALUES(28,12,'completed_rung_0','0.05377203261014074');
INSERT INTO "trial_system_attributes" VALUES(29,13,'tpe:relative_params:0','"{\"n\": 1, \"network.rules.norm\": \"batch\", \"network.stages.0.block\": \"quotient\", \"network.stages.1\": \"wide\", \"training.batch_size\": 32, \"training.optimizer\": \"adamw\", \"training.optimizer.sgd.lr\": 0.06919703463388276, \"network.rules.quotient.alpha\": 1.317474563417537, \"network.rules.quotient.learned_alpha\": \"layer\", \"network.stages.1.wide.block\": \"quotient_product_unit\", \"training.optimizer.adamw.lr\": 0.007478261455429262, \"network.rules.product_unit.exponent_clip\": null}"');
INSERT INTO "trial_system_attributes" VALUES(30,13,'completed_rung_0','0.18927045684540644');
INSERT INTO "trial_system_attributes" VALUES(31,14,'tpe:relative_params:0','"{\"n\": 2, \"network.rules.norm\": \"group\", \"network.stages.0.block\": \"additive\", \"network.stages.1\": \"wide\", \"training.batch_size\": 32, \"training.optimizer\": \"sgd\", \"training.optimizer.sgd.lr\": 0.07943782287821413, \"network.rules.quotient.alpha\": 1.8310442293806664, \"network.rules.quotient.learned_alpha\": \"layer\", \"network.stages.1.wide.block\": \"quotient_product_unit\", \"training.optimizer.adamw.lr\": 0.0011836574059464573, \"network.rules.product_unit.exponent_clip\": null}"');
INSERT INTO "trial_system_attributes" VALUES(32,14,'completed_rung_0','0.0450135642895475');
INSERT INTO "trial_system_attributes" VALUES(33,15,'tpe:relative_params:0','"{\"n\": 2, \"network.rules.norm\": \"batch\", \"network.stages.0.block\": \"additive\", \"network.stages.1\": \"wide\", \"training.batch_size\": 16, \"training.optimizer\": \"adamw\", \"training.optimizer.sgd.lr\": 0.023582617331972835, \"network.rules.quotient.alpha\": 2.1699313375928977, \"network.rules.quotient.learned_alpha\": \"layer\", \"network.stages.1.wide.block\": \"quotient_product_unit\", \"training.optimizer.adamw.lr\": 0.0010217631169082864, \"network.rules.product_unit.exponent_clip\": 8.0}"');
INSERT INTO "trial_system_attributes" VALUES(34,16,'fixed_params','{"network.stages.0.block": "quotient"}');
INSERT INTO "trial_system_attributes" VALUES(35,17,'fixed_params','{"network.stages.0.block": "quotient"}');
INSERT INTO "trial_system_attributes" VALUES(36,20,'fixed_params','{"network.stages.0.block": "quotient"}');
INSERT INTO "trial_system_attributes" VALUES(37,22,'fixed_params','{"network.stages.0.block": "quotient"}');
INSERT INTO "trial_system_attributes" VALUES(38,23,'fixed_params','{"network.stages.0.block": "quotient"}');
INSERT INTO "trial_system_attributes" VALUES(39,25,'fixed_params','{"network.stages.0.block": "quotient"}');
INSERT INTO "trial_system_attributes" VALUES(40,26,'tpe:relative_params:0','"{\"n\": 1, \"network.rules.norm\": \"group\", \"network.stages.0.block\": \"quotient\", \"network.stages.1\": \"none\", \"training.optimizer.sgd.lr\": 0.07946597593135671, \"network.rules.quotient.alpha\": 1.3072542112005523, \"network.rules.quotient.learned_alpha\": \"layer\", \"network.stages.1.wide.block\": \"additive\", \"network.rules.product_unit.exponent_clip\": 8.0}"');
INSERT INTO "trial_system_attributes" VALUES(41,27,'fixed_params','{"network.stages.0.depth": 1, "network.stages.0.block": "quotient", "training.schedule": "step"}');
INSERT INTO "trial_system_attributes" VALUES(42,28,'fixed_params','{"network.stages.0.depth": 2, "network.stages.0.block": "additive", "training.schedule": "step"}');
INSERT INTO "trial_system_attributes" VALUES(43,29,'fixed_params','{"network.stages.0.depth": 2, "network.stages.0.block": "quotient", "training.schedule": "cosine"}');
INSERT INTO "trial_system_attributes" VALUES(44,30,'fixed_params','{"network.stages.0.depth": 2, "network.stages.0.block": "additive", "training.schedule": "cosine"}');
INSERT INTO "trial_system_attributes" VALUES(45,31,'fixed_params','{"network.stages.0.block": "quotient", "training.optimizer.sgd.lr": 0.1}');
INSERT INTO "trial_system_attributes" VALUES(46,32,'fixed_params','{"network.stages.0.block": "quotient", "training.optimizer.sgd.lr": 0.054751334476399335}');
INSERT INTO "trial_system_attributes" VALUES(47,33,'fixed_params','{"network.stages.0.block": "quotient"}');
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
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
INSERT INTO "trial_values" VALUES(1,1,0,7.8590255160816013813e-01,'FINITE');
INSERT INTO "trial_values" VALUES(2,2,0,5.02762015210464596748e-01,'FINITE');
INSERT INTO "trial_values" VALUES(3,3,0,5.37238341057673096656e-02,'FINITE');
INSERT INTO "trial_values" VALUES(4,4,0,7.48352776281535625457e-01,'FINITE');
INSERT INTO "trial_values" VALUES(5,5,0,1.02238908642902970314e-01,'FINITE');
INSERT INTO "trial_values" VALUES(6,6,0,1.44587333605159074068e-01,'FINITE');
INSERT INTO "trial_values" VALUES(7,7,0,1.48290781013201922178e-01,'FINITE');
INSERT INTO "trial_values" VALUES(8,8,0,6.08128603780642151832e-02,'FINITE');
INSERT INTO "trial_values" VALUES(9,9,0,8.85437383549287915229e-01,'FINITE');
INSERT INTO "trial_values" VALUES(10,10,0,4.98139089904725551605e-01,'FINITE');
INSERT INTO "trial_values" VALUES(11,11,0,9.60234377998858690261e-01,'FINITE');
INSERT INTO "trial_values" VALUES(12,12,0,5.37720326101407408714e-02,'FINITE');
INSERT INTO "trial_values" VALUES(13,13,0,1.8927045684540644288e-01,'FINITE');
INSERT INTO "trial_values" VALUES(14,14,0,0.0450135642895475,'FINITE');
INSERT INTO "trial_values" VALUES(15,16,0,4.16040193289518356323e-01,'FINITE');
INSERT INTO "trial_values" VALUES(16,16,1,400.0,'FINITE');
INSERT INTO "trial_values" VALUES(17,16,2,20776.0,'FINITE');
INSERT INTO "trial_values" VALUES(18,17,0,0.66890425584279,'FINITE');
INSERT INTO "trial_values" VALUES(19,17,1,705.0,'FINITE');
INSERT INTO "trial_values" VALUES(20,17,2,39208.0,'FINITE');
INSERT INTO "trial_values" VALUES(21,18,0,2.50819454900920391082e-01,'FINITE');
INSERT INTO "trial_values" VALUES(22,18,1,4624.0,'FINITE');
INSERT INTO "trial_values" VALUES(23,18,2,278864.0,'FINITE');
INSERT INTO "trial_values" VALUES(24,19,0,2.24341762717813253402e-01,'FINITE');
INSERT INTO "trial_values" VALUES(25,19,1,1641.0,'FINITE');
INSERT INTO "trial_values" VALUES(26,19,2,94544.0,'FINITE');
INSERT INTO "trial_values" VALUES(27,20,0,1.70908940024673938751e-01,'FINITE');
INSERT INTO "trial_values" VALUES(28,20,1,4625.0,'FINITE');
INSERT INTO "trial_values" VALUES(29,20,2,278864.0,'FINITE');
INSERT INTO "trial_values" VALUES(30,21,0,3.44726931536570191383e-01,'FINITE');
INSERT INTO "trial_values" VALUES(31,21,1,3126.0,'FINITE');
INSERT INTO "trial_values" VALUES(32,21,2,186704.0,'FINITE');
INSERT INTO "trial_values" VALUES(33,22,0,9.50220681726932525634e-01,'FINITE');
INSERT INTO "trial_values" VALUES(34,22,1,1010.0,'FINITE');
INSERT INTO "trial_values" VALUES(35,22,2,57640.0,'FINITE');
INSERT INTO "trial_values" VALUES(36,23,0,6.41377487452700734138e-01,'FINITE');
INSERT INTO "trial_values" VALUES(37,23,1,1010.0,'FINITE');
INSERT INTO "trial_values" VALUES(38,23,2,57640.0,'FINITE');
INSERT INTO "trial_values" VALUES(39,24,0,3.39091522153466939926e-01,'FINITE');
INSERT INTO "trial_values" VALUES(40,24,1,705.0,'FINITE');
INSERT INTO "trial_values" VALUES(41,24,2,39208.0,'FINITE');
INSERT INTO "trial_values" VALUES(42,25,0,1.04154930682852864265e-01,'FINITE');
INSERT INTO "trial_values" VALUES(43,25,1,1006.0,'FINITE');
INSERT INTO "trial_values" VALUES(44,25,2,57640.0,'FINITE');
INSERT INTO "trial_values" VALUES(45,27,0,0.690029454883188,'FINITE');
INSERT INTO "trial_values" VALUES(46,28,0,7.16145684011280536651e-01,'FINITE');
INSERT INTO "trial_values" VALUES(47,29,0,9.86231460701674222946e-01,'FINITE');
INSERT INTO "trial_values" VALUES(48,31,0,2.74693869287148118019e-01,'FINITE');
INSERT INTO "trial_values" VALUES(49,32,0,3.22327312780544161796e-01,'FINITE');
INSERT INTO "trial_values" VALUES(50,33,0,2.6805989001877605915e-01,'FINITE');
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
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-25 22:40:06.629233','2026-11-25 22:40:06.733119');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-25 22:40:06.741393','2026-11-25 22:40:06.748940');
INSERT INTO "trials" VALUES(3,2,1,'PRUNED','2026-11-25 22:40:06.761538','2026-11-25 22:40:06.765890');
INSERT INTO "trials" VALUES(4,3,1,'COMPLETE','2026-11-25 22:40:06.771133','2026-11-25 22:40:06.779516');
INSERT INTO "trials" VALUES(5,4,1,'COMPLETE','2026-11-25 22:40:06.784616','2026-11-25 22:40:06.792126');
INSERT INTO "trials" VALUES(6,5,1,'PRUNED','2026-11-25 22:40:06.797894','2026-11-25 22:40:06.800297');
INSERT INTO "trials" VALUES(7,6,1,'PRUNED','2026-11-25 22:40:06.816524','2026-11-25 22:40:06.820422');
INSERT INTO "trials" VALUES(8,7,1,'PRUNED','2026-11-25 22:40:06.833277','2026-11-25 22:40:06.836102');
INSERT INTO "trials" VALUES(9,8,1,'COMPLETE','2026-11-25 22:40:06.847666','2026-11-25 22:40:06.854804');
INSERT INTO "trials" VALUES(10,9,1,'PRUNED','2026-11-25 22:40:06.868195','2026-11-25 22:40:06.873950');
INSERT INTO "trials" VALUES(11,10,1,'COMPLETE','2026-11-25 22:40:06.884839','2026-11-25 22:40:06.893019');
INSERT INTO "trials" VALUES(12,11,1,'PRUNED','2026-11-25 22:40:06.904365','2026-11-25 22:40:06.907798');
INSERT INTO "trials" VALUES(13,12,1,'PRUNED','2026-11-25 22:40:06.927969','2026-11-25 22:40:06.934214');
INSERT INTO "trials" VALUES(14,13,1,'PRUNED','2026-11-25 22:40:06.945650','2026-11-25 22:40:06.948201');
INSERT INTO "trials" VALUES(15,14,1,'RUNNING','2026-11-25 22:40:06.960515',NULL);
INSERT INTO "trials" VALUES(16,0,2,'COMPLETE','2026-11-25 22:40:07.052456','2026-11-25 22:40:07.062682');
INSERT INTO "trials" VALUES(17,1,2,'COMPLETE','2026-11-25 22:40:07.069448','2026-11-25 22:40:07.073965');
INSERT INTO "trials" VALUES(18,2,2,'COMPLETE','2026-11-25 22:40:07.079231','2026-11-25 22:40:07.083494');
INSERT INTO "trials" VALUES(19,3,2,'COMPLETE','2026-11-25 22:40:07.088533','2026-11-25 22:40:07.092403');
INSERT INTO "trials" VALUES(20,4,2,'COMPLETE','2026-11-25 22:40:07.097184','2026-11-25 22:40:07.101231');
INSERT INTO "trials" VALUES(21,5,2,'COMPLETE','2026-11-25 22:40:07.105362','2026-11-25 22:40:07.109489');
INSERT INTO "trials" VALUES(22,6,2,'COMPLETE','2026-11-25 22:40:07.113344','2026-11-25 22:40:07.117011');
INSERT INTO "trials" VALUES(23,7,2,'COMPLETE','2026-11-25 22:40:07.121735','2026-11-25 22:40:07.127871');
INSERT INTO "trials" VALUES(24,8,2,'COMPLETE','2026-11-25 22:40:07.132105','2026-11-25 22:40:07.135251');
INSERT INTO "trials" VALUES(25,9,2,'COMPLETE','2026-11-25 22:40:07.139578','2026-11-25 22:40:07.143154');
INSERT INTO "trials" VALUES(26,10,2,'RUNNING','2026-11-25 22:40:07.152853',NULL);
INSERT INTO "trials" VALUES(27,0,3,'COMPLETE','2026-11-25 22:40:07.229739','2026-11-25 22:40:07.248209');
INSERT INTO "trials" VALUES(28,1,3,'COMPLETE','2026-11-25 22:40:07.252722','2026-11-25 22:40:07.262021');
INSERT INTO "trials" VALUES(29,2,3,'COMPLETE','2026-11-25 22:40:07.265570','2026-11-25 22:40:07.275865');
INSERT INTO "trials" VALUES(30,3,3,'RUNNING','2026-11-25 22:40:07.279192',NULL);
INSERT INTO "trials" VALUES(31,0,4,'COMPLETE','2026-11-25 22:40:07.356255','2026-11-25 22:40:07.373401');
INSERT INTO "trials" VALUES(32,1,4,'COMPLETE','2026-11-25 22:40:07.378727','2026-11-25 22:40:07.388176');
INSERT INTO "trials" VALUES(33,2,4,'COMPLETE','2026-11-25 22:40:07.392004','2026-11-25 22:40:07.400733');
INSERT INTO "trials" VALUES(34,3,4,'RUNNING','2026-11-25 22:40:07.405268',NULL);
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
CREATE INDEX ix_qpsearch_configs_revision ON qpsearch_configs (revision);
COMMIT;
