package com.fasterxml.jackson.datatype.jsonorg

/** Debian has no package of it; nothing here sends an org.json value. */
class JsonOrgModule : com.fasterxml.jackson.databind.module.SimpleModule("org.json")
