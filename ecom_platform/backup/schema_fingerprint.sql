-- The definitions of all objects of a database, as a dump and a restore keep them.
--
-- Each part below `-- objects:` gives rows (kind, names, suffix, definition): the names of an object from the
-- outside in, what tells apart objects of one name (a function's arguments), and everything that defines it.
-- Read by schema_fingerprint.py. What a dump does not keep is left out: tablespaces, extension versions,
-- row order, invalid indexes, who granted a right, the database's own settings and comment.
--
-- @user(catalog, oid) is true for objects that belong to no extension and did not come with the server.
-- @acl(kind, acl, owner) gives the rights as text: a role with all rights of this server version has ALL.
-- @options(array) sorts options, whose order a dump does not keep.
-- Columns that only some versions have are read with to_jsonb(row) ->> 'column'.

-- objects: schemas
SELECT 'schema', ARRAY[n.nspname], '', jsonb_build_array(
    -- Who owns a server's own `public` differs between versions: 10 is the first superuser, 6171 pg_database_owner.
    CASE WHEN n.nspname = 'public' AND n.nspowner IN (10, 6171) THEN NULL ELSE pg_get_userbyid(n.nspowner) END,
    (SELECT jsonb_agg(rights) FROM jsonb_array_elements(@acl('n', n.nspacl, n.nspowner)) rights
     WHERE n.nspname <> 'public' OR rights ->> 0 NOT IN (pg_get_userbyid(10), 'pg_database_owner')))
FROM pg_namespace n
WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND (n.nspname = 'public' OR @user(pg_namespace, n.oid))

-- objects: relations
SELECT CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view' WHEN 'f' THEN 'foreign table'
           WHEN 'm' THEN 'materialised view' ELSE 'composite type' END,
       ARRAY[n.nspname, c.relname], '', jsonb_build_array(
    c.relkind, c.relpersistence, pg_get_userbyid(c.relowner),
    CASE WHEN c.relkind <> 'c' THEN @acl('r', c.relacl, c.relowner) END,
    @options(c.reloptions), @options(toast.reloptions),
    CASE WHEN c.relkind IN ('r', 'p') THEN c.relreplident END, c.relrowsecurity, c.relforcerowsecurity,
    CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END, pg_get_expr(c.relpartbound, c.oid),
    (SELECT jsonb_agg(i.inhparent::regclass::text ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = c.oid),
    am.amname, nullif(c.reloftype, 0)::regtype::text,
    CASE WHEN c.relkind = 'm' THEN c.relispopulated END,
    CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
    f.server, @options(f.options))
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid AND c.relkind IN ('r', 'm')
LEFT JOIN pg_am am ON am.oid = c.relam AND c.relkind IN ('r', 'm')
LEFT JOIN LATERAL (SELECT s.srvname AS server, ft.ftoptions AS options FROM pg_foreign_table ft
                   JOIN pg_foreign_server s ON s.oid = ft.ftserver WHERE ft.ftrelid = c.oid) f ON true
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND @mine(c.relpersistence, n.nspname) AND @user(pg_class, c.oid)
  AND (c.relkind <> 'c' OR @user(pg_type, c.reltype))

-- objects: columns
SELECT 'column', ARRAY[n.nspname, c.relname, a.attname], '', jsonb_build_array(
    -- A child's columns may change places: a dump creates those of its parents first.
    CASE WHEN c.relispartition OR NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
         THEN row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) END,
    format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated,
    (SELECT jsonb_build_array(cn.nspname, co.collname) FROM pg_collation co JOIN pg_namespace cn
        ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation AND a.attcollation <> t.typcollation),
    nullif(a.attstorage, t.typstorage), a.attcompression,
    CASE WHEN c.relkind IN ('r', 'p', 'm', 'f') THEN nullif(to_jsonb(a) ->> 'attstattarget', '-1') END,
    @options(a.attoptions), @options(a.attfdwoptions), @acl('c', a.attacl, c.relowner))
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
  AND @mine(c.relpersistence, n.nspname) AND @user(pg_class, c.oid)
  AND (c.relkind <> 'c' OR @user(pg_type, c.reltype))

-- objects: constraints
SELECT 'constraint', ARRAY[n.nspname, coalesce(c.relname, t.typname), k.conname], '', jsonb_build_array(
    k.contype, pg_get_constraintdef(k.oid), k.convalidated)
FROM pg_constraint k
LEFT JOIN pg_class c ON c.oid = k.conrelid
LEFT JOIN pg_type t ON t.oid = k.contypid
JOIN pg_namespace n ON n.oid = k.connamespace
-- Those that a partition got from its parent's foreign key have names that the server makes anew.
WHERE k.contype IN ('c', 'p', 'u', 'x', 'f') AND (k.contype <> 'f' OR k.conparentid = 0)
  AND @mine(coalesce(c.relpersistence, 'p'), n.nspname)
  AND @user(pg_constraint, k.oid) AND (k.conrelid = 0 OR @user(pg_class, k.conrelid))
  AND (k.contypid = 0 OR @user(pg_type, k.contypid))

-- objects: not-null constraints from 180000
SELECT 'not-null constraint', ARRAY[n.nspname, c.relname, a.attname], '', jsonb_build_array(
    CASE WHEN k.conislocal THEN k.conname END, k.convalidated, k.connoinherit)
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
WHERE k.contype = 'n' AND @mine(c.relpersistence, n.nspname) AND @user(pg_class, c.oid)

-- objects: indexes
SELECT 'index', ARRAY[n.nspname, c.relname], '', jsonb_build_array(
    pg_get_indexdef(c.oid), i.indisclustered, i.indisreplident,
    (SELECT h.inhparent::regclass::text FROM pg_inherits h WHERE h.inhrelid = c.oid),
    (SELECT jsonb_agg(jsonb_build_array(a.attnum, to_jsonb(a) ->> 'attstattarget') ORDER BY a.attnum)
        FROM pg_attribute a WHERE a.attrelid = c.oid AND coalesce(to_jsonb(a) ->> 'attstattarget', '-1') <> '-1'))
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class r ON r.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (i.indisvalid OR c.relkind = 'I') AND r.relkind IN ('r', 'p', 'm') AND @mine(c.relpersistence, n.nspname)
  AND @user(pg_class, r.oid)

-- objects: sequences
SELECT 'sequence', ARRAY[n.nspname, c.relname], '', jsonb_build_array(
    format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle,
    pg_get_userbyid(c.relowner), @acl('s', c.relacl, c.relowner), c.relpersistence,
    (SELECT jsonb_build_array(d.deptype, d.refobjid::regclass::text, a.attname) FROM pg_depend d
        JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
          AND d.refclassid = 'pg_class'::regclass))
FROM pg_sequence s
JOIN pg_class c ON c.oid = s.seqrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE @mine(c.relpersistence, n.nspname) AND @user(pg_class, c.oid)

-- objects: functions
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, ARRAY[n.nspname, p.proname],
       '(' || pg_get_function_identity_arguments(p.oid) || ')', jsonb_build_array(
    pg_get_functiondef(p.oid), pg_get_userbyid(p.proowner), @acl('f', p.proacl, p.proowner))
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.prokind <> 'a' AND @mine('p', n.nspname) AND @user(pg_proc, p.oid)
  -- Constructors of range types come with their type.
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')

-- objects: aggregates
SELECT 'aggregate', ARRAY[n.nspname, p.proname], '(' || pg_get_function_identity_arguments(p.oid) || ')',
       jsonb_build_array(
    pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.proparallel, p.provolatile, p.proisstrict,
    a.aggkind, a.aggnumdirectargs, a.aggtransfn::text, a.aggfinalfn::text, a.aggcombinefn::text, a.aggserialfn::text,
    a.aggdeserialfn::text, a.aggmtransfn::text, a.aggminvtransfn::text, a.aggmfinalfn::text, a.aggfinalextra,
    a.aggmfinalextra, a.aggfinalmodify, a.aggmfinalmodify, nullif(a.aggsortop, 0)::regoperator::text,
    format_type(a.aggtranstype, NULL), a.aggtransspace, nullif(a.aggmtranstype, 0)::regtype::text, a.aggmtransspace,
    a.agginitval, a.aggminitval, pg_get_userbyid(p.proowner), @acl('f', p.proacl, p.proowner))
FROM pg_proc p
JOIN pg_aggregate a ON a.aggfnoid = p.oid
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE @mine('p', n.nspname) AND @user(pg_proc, p.oid)

-- objects: triggers
SELECT 'trigger', ARRAY[n.nspname, c.relname, g.tgname], '', jsonb_build_array(
    pg_get_triggerdef(g.oid), g.tgenabled)
FROM pg_trigger g
JOIN pg_class c ON c.oid = g.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND @mine(c.relpersistence, n.nspname) AND @user(pg_class, c.oid)
  AND @user(pg_trigger, g.oid)

-- objects: event triggers
SELECT 'event trigger', ARRAY[e.evtname], '', jsonb_build_array(
    e.evtevent, pg_get_userbyid(e.evtowner), e.evtfoid::regproc::text, e.evtenabled, @options(e.evttags))
FROM pg_event_trigger e
WHERE @user(pg_event_trigger, e.oid)

-- objects: policies
SELECT 'policy', ARRAY[n.nspname, c.relname, p.polname], '', jsonb_build_array(
    p.polcmd, p.polpermissive,
    (SELECT jsonb_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r) END ORDER BY r = 0, pg_get_userbyid(r))
        FROM unnest(p.polroles) r),
    pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
FROM pg_policy p
JOIN pg_class c ON c.oid = p.polrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE @user(pg_class, c.oid)

-- objects: rules
SELECT 'rule', ARRAY[n.nspname, c.relname, r.rulename], '', jsonb_build_array(pg_get_ruledef(r.oid), r.ev_enabled)
FROM pg_rewrite r
JOIN pg_class c ON c.oid = r.ev_class
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE r.rulename <> '_RETURN' AND @mine(c.relpersistence, n.nspname) AND @user(pg_class, c.oid)
  AND @user(pg_rewrite, r.oid)

-- objects: types
SELECT CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range type'
           WHEN 'c' THEN 'composite type rights' ELSE 'type' END, ARRAY[n.nspname, t.typname], '', jsonb_build_array(
    pg_get_userbyid(t.typowner), @acl('T', t.typacl, t.typowner),
    (SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
    CASE WHEN t.typtype = 'd' THEN jsonb_build_array(format_type(t.typbasetype, t.typtypmod), t.typnotnull,
        coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault),
        (SELECT co.collname FROM pg_collation co, pg_type b
            WHERE co.oid = t.typcollation AND b.oid = t.typbasetype AND b.typcollation <> t.typcollation)) END,
    (SELECT jsonb_build_array(format_type(r.rngsubtype, NULL), r.rngmultitypid::regtype::text,
            (SELECT oc.opcname FROM pg_opclass oc WHERE oc.oid = r.rngsubopc),
            (SELECT co.collname FROM pg_collation co WHERE co.oid = r.rngcollation),
            r.rngcanonical::text, r.rngsubdiff::text)
        FROM pg_range r WHERE r.rngtypid = t.oid),
    CASE WHEN t.typtype = 'b' THEN jsonb_build_array(t.typisdefined, t.typlen, t.typbyval, t.typalign, t.typstorage,
        t.typcategory, t.typispreferred, t.typdelim, t.typinput::text, t.typoutput::text, t.typreceive::text,
        t.typsend::text, t.typmodin::text, t.typmodout::text, t.typanalyze::text, t.typdefault, t.typcollation <> 0) END)
FROM pg_type t
JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE (t.typtype IN ('e', 'd', 'r', 'p') OR t.typtype = 'c' AND c.relkind = 'c' OR t.typtype = 'b'
       AND NOT EXISTS (SELECT FROM pg_type el WHERE el.typarray = t.oid))
  AND @mine('p', n.nspname) AND @user(pg_type, t.oid)

-- objects: operators
SELECT 'operator', ARRAY[n.nspname], '.' || o.oprname || format('(%s, %s)', format_type(o.oprleft, NULL), format_type(o.oprright, NULL)),
       jsonb_build_array(o.oprcode::text, o.oprcanmerge, o.oprcanhash, nullif(o.oprcom, 0)::regoperator::text,
    nullif(o.oprnegate, 0)::regoperator::text, o.oprrest::text, o.oprjoin::text, pg_get_userbyid(o.oprowner))
FROM pg_operator o
JOIN pg_namespace n ON n.oid = o.oprnamespace
WHERE o.oprcode <> 0 AND @mine('p', n.nspname) AND @user(pg_operator, o.oid)

-- objects: operator classes
SELECT 'operator class', ARRAY[n.nspname, o.opcname], ' USING ' || am.amname, jsonb_build_array(
    format_type(o.opcintype, NULL), o.opcdefault, nullif(o.opckeytype, 0)::regtype::text,
    (SELECT jsonb_build_array(fn.nspname, f.opfname) FROM pg_opfamily f JOIN pg_namespace fn ON fn.oid = f.opfnamespace
        WHERE f.oid = o.opcfamily), pg_get_userbyid(o.opcowner))
FROM pg_opclass o
JOIN pg_am am ON am.oid = o.opcmethod
JOIN pg_namespace n ON n.oid = o.opcnamespace
WHERE @mine('p', n.nspname) AND @user(pg_opclass, o.oid)

-- objects: operator families
SELECT 'operator family', ARRAY[n.nspname, f.opfname], ' USING ' || am.amname, jsonb_build_array(
    pg_get_userbyid(f.opfowner),
    (SELECT jsonb_agg(line ORDER BY line) FROM (
        SELECT jsonb_build_array(o.amopstrategy, o.amopopr::regoperator::text, o.amoppurpose)::text AS line
        FROM pg_amop o WHERE o.amopfamily = f.oid
      UNION ALL
        SELECT jsonb_build_array(q.amprocnum, format_type(q.amproclefttype, NULL), format_type(q.amprocrighttype, NULL),
            q.amproc::regprocedure::text)::text
        FROM pg_amproc q WHERE q.amprocfamily = f.oid) members))
FROM pg_opfamily f
JOIN pg_am am ON am.oid = f.opfmethod
JOIN pg_namespace n ON n.oid = f.opfnamespace
WHERE @mine('p', n.nspname) AND @user(pg_opfamily, f.oid)

-- objects: casts
SELECT 'cast', ARRAY[]::text[], format('(%s AS %s)', format_type(k.castsource, NULL), format_type(k.casttarget, NULL)),
       jsonb_build_array(nullif(k.castfunc, 0)::regprocedure::text, k.castcontext, k.castmethod)
FROM pg_cast k
WHERE @user(pg_cast, k.oid)

-- objects: collations
SELECT 'collation', ARRAY[n.nspname, c.collname], '', jsonb_build_array(
    c.collprovider, c.collisdeterministic, pg_get_userbyid(c.collowner), pg_encoding_to_char(c.collencoding),
    coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale', c.collcollate),
    coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale', c.collctype), to_jsonb(c) ->> 'collicurules')
FROM pg_collation c
JOIN pg_namespace n ON n.oid = c.collnamespace
WHERE @mine('p', n.nspname) AND @user(pg_collation, c.oid)

-- objects: conversions
SELECT 'conversion', ARRAY[n.nspname, c.conname], '', jsonb_build_array(
    pg_encoding_to_char(c.conforencoding), pg_encoding_to_char(c.contoencoding), c.conproc::text, c.condefault,
    pg_get_userbyid(c.conowner))
FROM pg_conversion c
JOIN pg_namespace n ON n.oid = c.connamespace
WHERE @mine('p', n.nspname) AND @user(pg_conversion, c.oid)

-- objects: languages
SELECT 'language', ARRAY[l.lanname], '', jsonb_build_array(
    l.lanpltrusted, nullif(l.lanplcallfoid, 0)::regprocedure::text, nullif(l.laninline, 0)::regprocedure::text,
    nullif(l.lanvalidator, 0)::regprocedure::text, pg_get_userbyid(l.lanowner), @acl('l', l.lanacl, l.lanowner))
FROM pg_language l
WHERE @user(pg_language, l.oid)

-- objects: transforms
SELECT 'transform', ARRAY[l.lanname], ' FOR ' || format_type(t.trftype, NULL), jsonb_build_array(
    t.trffromsql::regproc::text, t.trftosql::regproc::text)
FROM pg_transform t
JOIN pg_language l ON l.oid = t.trflang
WHERE @user(pg_transform, t.oid)

-- objects: access methods
SELECT 'access method', ARRAY[m.amname], '', jsonb_build_array(m.amtype, m.amhandler::text)
FROM pg_am m
WHERE @user(pg_am, m.oid)

-- objects: extended statistics
SELECT 'statistics', ARRAY[n.nspname, s.stxname], '', jsonb_build_array(
    pg_get_statisticsobjdef(s.oid), pg_get_userbyid(s.stxowner), nullif(to_jsonb(s) ->> 'stxstattarget', '-1'))
FROM pg_statistic_ext s
JOIN pg_namespace n ON n.oid = s.stxnamespace
WHERE @mine('p', n.nspname) AND @user(pg_statistic_ext, s.oid)

-- objects: text search configurations
SELECT 'text search configuration', ARRAY[n.nspname, c.cfgname], '', jsonb_build_array(
    pg_get_userbyid(c.cfgowner),
    (SELECT jsonb_build_array(pn.nspname, p.prsname) FROM pg_ts_parser p JOIN pg_namespace pn ON pn.oid = p.prsnamespace
        WHERE p.oid = c.cfgparser),
    (SELECT jsonb_agg(jsonb_build_array(m.maptokentype, m.mapdict::regdictionary::text) ORDER BY m.maptokentype, m.mapseqno)
        FROM pg_ts_config_map m WHERE m.mapcfg = c.oid))
FROM pg_ts_config c
JOIN pg_namespace n ON n.oid = c.cfgnamespace
WHERE @mine('p', n.nspname) AND @user(pg_ts_config, c.oid)

-- objects: text search dictionaries
SELECT 'text search dictionary', ARRAY[n.nspname, d.dictname], '', jsonb_build_array(
    pg_get_userbyid(d.dictowner), d.dictinitoption,
    (SELECT jsonb_build_array(tn.nspname, t.tmplname) FROM pg_ts_template t JOIN pg_namespace tn ON tn.oid = t.tmplnamespace
        WHERE t.oid = d.dicttemplate))
FROM pg_ts_dict d
JOIN pg_namespace n ON n.oid = d.dictnamespace
WHERE @mine('p', n.nspname) AND @user(pg_ts_dict, d.oid)

-- objects: text search templates
SELECT 'text search template', ARRAY[n.nspname, t.tmplname], '', jsonb_build_array(t.tmplinit::text, t.tmpllexize::text)
FROM pg_ts_template t
JOIN pg_namespace n ON n.oid = t.tmplnamespace
WHERE @mine('p', n.nspname) AND @user(pg_ts_template, t.oid)

-- objects: text search parsers
SELECT 'text search parser', ARRAY[n.nspname, p.prsname], '', jsonb_build_array(
    p.prsstart::text, p.prstoken::text, p.prsend::text, p.prsheadline::text, p.prslextype::text)
FROM pg_ts_parser p
JOIN pg_namespace n ON n.oid = p.prsnamespace
WHERE @mine('p', n.nspname) AND @user(pg_ts_parser, p.oid)

-- objects: extensions
SELECT 'extension', ARRAY[e.extname], '', jsonb_build_array(
    n.nspname,
    (SELECT jsonb_agg(jsonb_build_array(u.relation::regclass::text, u.condition) ORDER BY u.relation::regclass::text)
        FROM unnest(e.extconfig, e.extcondition) AS u(relation, condition)))
FROM pg_extension e
JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname <> 'plpgsql'

-- objects: foreign-data wrappers
SELECT 'foreign-data wrapper', ARRAY[w.fdwname], '', jsonb_build_array(
    pg_get_userbyid(w.fdwowner), nullif(w.fdwhandler, 0)::regproc::text, nullif(w.fdwvalidator, 0)::regproc::text,
    @options(w.fdwoptions), @acl('F', w.fdwacl, w.fdwowner))
FROM pg_foreign_data_wrapper w
WHERE @user(pg_foreign_data_wrapper, w.oid)

-- objects: foreign servers
SELECT 'foreign server', ARRAY[s.srvname], '', jsonb_build_array(
    pg_get_userbyid(s.srvowner), w.fdwname, s.srvtype, s.srvversion, @options(s.srvoptions), @acl('S', s.srvacl, s.srvowner))
FROM pg_foreign_server s
JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
WHERE @user(pg_foreign_server, s.oid)

-- objects: user mappings
SELECT 'user mapping', ARRAY[u.srvname, u.usename], '', jsonb_build_array(@options(u.umoptions))
FROM pg_user_mappings u

-- objects: publications
SELECT 'publication', ARRAY[p.pubname], '', jsonb_build_array(
    pg_get_userbyid(p.pubowner), p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, p.pubviaroot,
    coalesce(to_jsonb(p) ->> 'pubgencols', 'n'))
FROM pg_publication p
WHERE @user(pg_publication, p.oid)

-- objects: published tables until 149999
SELECT 'published table', ARRAY[p.pubname, n.nspname, c.relname], '', jsonb_build_array(NULL, NULL)
FROM pg_publication_rel r
JOIN pg_publication p ON p.oid = r.prpubid
JOIN pg_class c ON c.oid = r.prrelid
JOIN pg_namespace n ON n.oid = c.relnamespace

-- objects: published tables from 150000
SELECT 'published table', ARRAY[p.pubname, n.nspname, c.relname], '', jsonb_build_array(
    (SELECT jsonb_agg(a.attname ORDER BY a.attname) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum = ANY (r.prattrs::int2[])),
    pg_get_expr(r.prqual, r.prrelid))
FROM pg_publication_rel r
JOIN pg_publication p ON p.oid = r.prpubid
JOIN pg_class c ON c.oid = r.prrelid
JOIN pg_namespace n ON n.oid = c.relnamespace

-- objects: published schemas from 150000
SELECT 'published schema', ARRAY[p.pubname, n.nspname], '', jsonb_build_array()
FROM pg_publication_namespace r
JOIN pg_publication p ON p.oid = r.pnpubid
JOIN pg_namespace n ON n.oid = r.pnnspid

-- objects: default rights
SELECT 'default rights', ARRAY[pg_get_userbyid(d.defaclrole), coalesce(n.nspname, '')], ' ' || d.defaclobjtype::text,
       jsonb_build_array(@acl(CASE d.defaclobjtype WHEN 'S' THEN 's'::"char" ELSE d.defaclobjtype END, d.defaclacl, d.defaclrole))
FROM pg_default_acl d
LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace

-- objects: rights of large objects
SELECT 'rights of large objects', ARRAY[]::text[], '', jsonb_build_array(count(*), sum(hashtextextended(
    jsonb_build_array(o.oid, pg_get_userbyid(o.lomowner), @acl('L', o.lomacl, o.lomowner))::text COLLATE "C", 1)))
FROM pg_largeobject_metadata o
HAVING count(*) > 0

-- objects: comments
SELECT 'comment', ARRAY[]::text[], i.type || ' ' || i.identity, jsonb_build_array(d.description)
FROM pg_description d
CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) AS i
WHERE (d.objoid >= 16384 AND (d.classoid = 'pg_extension'::regclass OR NOT EXISTS (
        SELECT FROM pg_depend m WHERE m.classid = d.classoid AND m.objid = d.objoid AND m.deptype = 'e'))
    OR d.classoid = 'pg_namespace'::regclass AND i.identity = 'public' AND d.description <> 'standard public schema')
  AND i.schema IS DISTINCT FROM 'pg_toast'

-- objects: security labels
SELECT 'security label', ARRAY[l.provider], ' of ' || i.type || ' ' || i.identity, jsonb_build_array(l.label)
FROM pg_seclabel l
CROSS JOIN LATERAL pg_identify_object(l.classoid, l.objoid, l.objsubid) AS i
