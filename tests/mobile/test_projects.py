"""What the projects for Android and iOS must say, or the code in them can't work. Standard library alone.

TAPFILL_ANDROID names the Android project as it is after a build, with what build scripts added, TAPFILL_NFC the sources
of the tauri-plugin-nfc that the app is built with, TAPFILL_SWIFT those of every crate whose Swift goes into the app.
"""

import json
import os
import pathlib
import plistlib
import re
import unittest
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "plugins/iso-dep"
A = "{http://schemas.android.com/apk/res/android}"
TOOLS = "{http://schemas.android.com/tools}"


def text(folder, *patterns):
    return "".join(it.read_text() for pattern in patterns for it in sorted(folder.glob(pattern)))


def rules(path):
    """What R8 reads of a file: neither comments nor breaks of lines."""
    lines = [line.split("#")[0] for line in path.read_text().splitlines()]
    return [" ".join(f"-{rule}".split()) for rule in " ".join(lines).split("-")[1:]]


class Android(unittest.TestCase):
    project = ROOT / "gen/android"

    def parsed(self, *path):
        return xml.parse(self.project.joinpath("app/src", *path)).getroot()

    def setUp(self):
        self.manifest = self.parsed("main/AndroidManifest.xml")
        self.application = self.manifest.find("application")

    def test_permissions_are_those_that_the_code_needs_and_no_more(self):
        asked = {it.get(A + "name") for it in self.manifest.iter("uses-permission")}
        needed = {"INTERNET", "NFC"}
        if "navigator.vibrate" in text(ROOT / "ui/src", "**/*.ts", "**/*.svelte"):
            needed.add("VIBRATE")
        if "setHideOverlayWindows" in text(PLUGIN, "android/src/main/**/*.kt"):
            needed.add("HIDE_OVERLAY_WINDOWS")
        self.assertEqual(asked, {f"android.permission.{it}" for it in needed})

    def test_a_device_without_nfc_may_install_it(self):
        features = {it.get(A + "name"): it.get(A + "required") for it in self.manifest.iter("uses-feature")}
        self.assertEqual(features, {"android.hardware.nfc": "false"})

    def test_no_tag_starts_the_app(self):
        actions = [it.get(A + "name") for it in self.manifest.iter("action")]
        self.assertEqual(actions, ["android.intent.action.MAIN"])
        self.assertEqual(list(self.manifest.iter("meta-data")), [])

    def test_activity_and_identifier_are_those_that_rust_looks_for(self):
        self.assertIn("class MainActivity : TauriActivity()", (self.project / "app/src/main/java/org/tapfill/app/MainActivity.kt").read_text())
        config = json.loads((ROOT / "tauri.conf.json").read_text())
        gradle = (self.project / "app/build.gradle.kts").read_text()
        self.assertIn(f'applicationId = "{config["identifier"]}"', gradle)

    def test_no_backup_takes_the_journal_along(self):
        self.assertEqual(self.application.get(A + "allowBackup"), "false")
        self.assertEqual(self.application.get(A + "fullBackupContent"), "false")
        self.assertEqual(self.application.get(A + "dataExtractionRules"), "@xml/data_extraction")
        rules = self.parsed("main/res/xml/data_extraction.xml")
        for way in ("cloud-backup", "device-transfer"):
            left_out = {it.get("domain") for it in rules.find(way)}
            self.assertEqual(left_out, {"root", "file", "database", "sharedpref", "external"}, way)

    def test_a_release_speaks_no_clear_text(self):
        self.assertEqual(self.application.get(A + "networkSecurityConfig"), "@xml/network_security")
        base = self.parsed("main/res/xml/network_security.xml").find("base-config")
        self.assertEqual(base.get("cleartextTrafficPermitted"), "false")
        self.assertEqual([it.get("src") for it in base.iter("certificates")], ["system"])

    def test_nothing_that_changes_around_the_activity_ends_it(self):
        """With the activity Tauri ends the app, a load in its middle or not: another SIM card's country is enough."""
        activity = self.application.find("activity")
        survives = set(activity.get(A + "configChanges").split("|"))
        # All that there is for an activity to survive.
        around = "mcc mnc locale layoutDirection grammaticalGender touchscreen keyboard keyboardHidden navigation orientation"
        screen = "screenLayout screenSize smallestScreenSize density colorMode uiMode fontScale fontWeightAdjustment"
        self.assertEqual(survives, set(f"{around} {screen}".split()))
        self.assertEqual(activity.get(A + "launchMode"), "singleTask")

    def test_an_export_goes_where_the_person_says(self):
        """The folder that Tauri calls documents on Android is the app's own: nobody else sees into it."""
        rust = ROOT / "src-tauri/src"
        android = r'cfg\(target_os = "android"\)\]\n'
        parts = (rust / "parts.rs").read_text()
        folder = re.search(rf'{android}fn documents\(.*?\n\}}', parts, re.S).group(0)
        self.assertIn('app.path().app_cache_dir()?.join("exports")', folder)
        self.assertEqual(parts.count("document_dir()"), 1, "that of the other systems")
        commands = (rust / "commands.rs").read_text()
        self.assertRegex(commands, rf"{android}async fn within_reach\([^}}]*exports::handed_over\(")
        self.assertIn("within_reach(app, reply).await", commands)
        exports = (rust / "exports.rs").read_text()
        for step in (".save_file(", "app.fs().open(document, options)", "options.write(true).truncate(true)"):
            self.assertIn(step, exports)

    def test_the_app_has_the_name_that_the_page_has(self):
        for folder, page in (("values", "en"), ("values-zh", "zh-CN"), ("values-b+zh+Hant", "zh-TW")):
            name = json.loads((ROOT / f"ui/messages/{page}.json").read_text())["app"]["name"]
            strings = {it.get("name"): it.text for it in self.parsed("main/res", folder, "strings.xml")}
            self.assertEqual(strings, {"app_name": name, "main_activity_title": name})

    def test_the_systems_that_it_is_for(self):
        gradle = (self.project / "app/build.gradle.kts").read_text()
        self.assertIn("minSdk = 24", gradle)
        self.assertRegex(gradle, r"targetSdk = 3[5-9]")


@unittest.skipUnless("TAPFILL_ANDROID" in os.environ, "nothing was built")
class BuiltAndroid(Android):
    """The same of what build scripts made of it."""

    project = pathlib.Path(os.environ.get("TAPFILL_ANDROID", ""))


def keys(activity):
    """What Android's manifest merger knows an activity's children by: a filter by its actions and categories."""
    for it in activity:
        yield it, (it.tag, it.get(A + "name"), *sorted(part.get(A + "name") for part in it))


@unittest.skipUnless("TAPFILL_NFC" in os.environ, "no sources of it")
class OtherPlugin(unittest.TestCase):
    """tauri-plugin-nfc: what decision 0021 rests on, in its own sources."""

    def setUp(self):
        self.sources = pathlib.Path(os.environ["TAPFILL_NFC"])
        self.rust = text(ROOT / "src-tauri/src", "**/*.rs")

    def test_what_its_build_script_adds_is_removed_in_each_kind_of_build(self):
        added = re.search(r'"activity",\s*r#"(.*?)"#', (self.sources / "build.rs").read_text(), re.S).group(1)
        space = A.strip("{}")
        added = xml.fromstring(f'<activity xmlns:android="{space}">{added}</activity>')
        added = {key for _, key in keys(added)}
        self.assertEqual(len(added), 4, "three filters and their list")
        gradle = (ROOT / "gen/android/app/build.gradle.kts").read_text()
        kinds = re.findall(r'getByName\("(\w+)"\)', gradle)
        self.assertEqual(sorted(kinds), ["debug", "release"])
        for kind in kinds:
            over = xml.parse(ROOT / f"gen/android/app/src/{kind}/AndroidManifest.xml").getroot()
            activity = over.find("application/activity")
            self.assertEqual(activity.get(A + "name"), ".MainActivity", "as the main manifest spells it")
            removed = {key for it, key in keys(activity) if it.get(TOOLS + "node") == "remove"}
            self.assertEqual(removed, added, kind)
            self.assertEqual(len(list(activity)), len(removed), "nothing is added")

    def test_it_is_set_up_and_asked_for_nothing_but_availability(self):
        self.assertIn(".plugin(tauri_plugin_nfc::init())", self.rust)
        self.assertEqual(re.findall(r"\.nfc\(\)\s*\.(\w+)\(", self.rust), ["is_available"])

    def test_the_page_may_not_call_it(self):
        for capability in ROOT.glob("capabilities/*.json"):
            for permission in json.loads(capability.read_text())["permissions"]:
                name = permission if isinstance(permission, str) else permission["identifier"]
                self.assertFalse(name.startswith("nfc:"), f"{capability.name}: Rust needs no permission")

    def test_it_polls_for_nothing_unless_it_is_asked_to(self):
        kotlin = text(self.sources, "android/src/main/java/*.kt")
        swift = text(self.sources, "ios/Sources/*.swift")
        self.assertNotIn("enableReaderMode", kotlin)
        callers = re.findall(r"    (?:override )?fun (\w+)\((?:(?!\n    \}).)*?\n\s+enableNFCInForeground\(", kotlin, re.S)
        self.assertEqual(callers, ["onResume", "scan", "write"])
        resume = re.search(r"fun onResume\(\) \{(.*?)\n    \}", kotlin, re.S).group(1)
        self.assertRegex(resume, r"session\?\.let \{\s+enableNFCInForeground", "only in a session of its own")
        self.assertEqual(len(re.findall(r"NFC\w+ReaderSession\(\n", swift)), 2, "both in startScanSession")
        begun = re.findall(r"(?:self\.)startScanSession\(", swift)
        self.assertEqual(len(begun), 2, "scan and write")

    def test_its_answer_is_worth_nothing_before_a_page_is_there(self):
        """Before `load` Kotlin has no adapter and says no, and Swift unwraps what is not there yet."""
        kotlin = text(self.sources, "android/src/main/java/*.kt")
        swift = text(self.sources, "ios/Sources/*.swift")
        self.assertIn("private var nfcAdapter: NfcAdapter? = null", kotlin)
        self.assertIn("var status: NfcStatus!", swift)
        asked = re.search(r"fn page_loads\(.*?\n    \}", self.rust, re.S).group(0)
        self.assertIn("load.event() == PageLoadEvent::Finished", asked)
        self.assertEqual(self.rust.count("ask_other_plugin("), 2, "there, and where it is defined")


class Plugin(unittest.TestCase):
    """What finds the plugin and its classes by name."""

    def setUp(self):
        self.rust = text(PLUGIN, "src/*.rs")
        self.kotlin = text(PLUGIN, "android/src/main/**/*.kt")
        self.gradle = (PLUGIN / "android/build.gradle.kts").read_text()

    def test_the_class_that_rust_loads_is_there_on_android(self):
        package = re.search(r'KOTLIN_PACKAGE: &str = "([\w.]+)"', self.rust).group(1)
        name = re.search(r'register_android_plugin\(KOTLIN_PACKAGE, "(\w+)"\)', self.rust).group(1)
        source = (PLUGIN / "android/src/main/java" / package.replace(".", "/") / f"{name}.kt").read_text()
        self.assertIn(f"package {package}\n", source)
        self.assertRegex(source, rf"@TauriPlugin\nclass {name}\(private val activity: Activity\) : Plugin\(activity\)")
        self.assertIn(f'namespace = "{package}"', self.gradle)
        self.assertIn(f"-keep class {package}.{name} {{ *; }}", rules(PLUGIN / "android/consumer-rules.pro"))

    def test_the_function_that_rust_links_is_there_on_ios(self):
        bound = re.search(r"ios_plugin_binding!\((\w+)\)", self.rust).group(1)
        self.assertIn(f"register_ios_plugin({bound})", self.rust)
        swift = text(PLUGIN, "ios/Sources/Plugin/*.swift")
        made = re.search(rf'@_cdecl\("{bound}"\)\nfunc \w+\(\) -> Plugin {{\n.*?  return (\w+)\(\)\n}}', swift, re.S)
        self.assertIsNotNone(made, bound)
        self.assertIn(f"class {made.group(1)}: Plugin {{", swift)

    def test_r8_keeps_what_tauri_finds_by_name(self):
        """Each class that crosses to Rust is public and annotated, and the rule names their package."""
        kept = "-keep @app.tauri.annotation.InvokeArg public class org.tapfill.isodep.** { *; }"
        self.assertIn(kept, rules(PLUGIN / "android/consumer-rules.pro"))
        self.assertIn('consumerProguardFiles("consumer-rules.pro")', self.gradle, "or no app has them")
        messages = (PLUGIN / "android/src/main/java/org/tapfill/isodep/Messages.kt").read_text()
        classes = re.findall(r"(@InvokeArg\n)?((?:\w+ )*)class (\w+)", messages)
        self.assertGreater(len(classes), 5)
        for annotation, modifiers, name in classes:
            self.assertTrue(annotation, f"{name} is not annotated")
            self.assertEqual(modifiers, "", f"{name} is not public")

    def test_what_kotlin_imports_is_among_the_dependencies(self):
        artefacts = {
            "androidx.biometric": "androidx.biometric:biometric:",
            "androidx.appcompat": "androidx.appcompat:appcompat:",
            "com.google.android.gms.auth.api.phone": "com.google.android.gms:play-services-auth-api-phone:",
        }
        for package, artefact in artefacts.items():
            self.assertIn(f"import {package}.", self.kotlin, "no longer needed")
            self.assertIn(f'implementation("{artefact}', self.gradle)


class Ios(unittest.TestCase):
    def setUp(self):
        self.info = plistlib.loads((ROOT / "Info.ios.plist").read_bytes())

    def test_each_application_of_each_package_may_be_selected(self):
        may = self.info["com.apple.developer.nfc.readersession.iso7816.select-identifiers"]
        packages = sorted(ROOT.glob("industries/*.json"))
        self.assertTrue(packages)
        wanted = {aid for it in packages for aid in json.loads(it.read_text())["aids"]}
        self.assertLessEqual(wanted, set(may))

    def test_people_are_told_what_for(self):
        for use in ("NFCReaderUsageDescription", "NSFaceIDUsageDescription"):
            self.assertRegex(self.info[use], r"[\u4e00-\u9fff].*[a-z]", use)

    def test_no_backup_takes_the_journal_along(self):
        swift = text(PLUGIN, "ios/Sources/Plugin/*.swift")
        self.assertRegex(swift, r"func initPlugin\(\) -> Plugin \{\n  keepOutOfBackups\(\)\n")
        kept = re.search(r"\nfunc keepOutOfBackups\(\) \{\n(.*?)\n\}", swift, re.S).group(1)
        self.assertIn("isExcludedFromBackup = true", kept)
        self.assertIn("setResourceValues(values)", kept)
        # Tauri's folder for local data is below this one.
        self.assertIn("for: .applicationSupportDirectory", kept)
        self.assertIn("app.path().app_local_data_dir()", (ROOT / "src-tauri/src/parts.rs").read_text())

    def test_files_shows_what_was_exported_and_nothing_else(self):
        for key in ("UIFileSharingEnabled", "LSSupportsOpeningDocumentsInPlace"):
            self.assertIs(self.info.get(key), True, key)
        parts = (ROOT / "src-tauri/src/parts.rs").read_text()
        # Journal, settings, packages, what the keys sealed: below Application Support, never below Documents.
        self.assertRegex(parts, r"None => app\.path\(\)\.app_local_data_dir\(\)\?,")
        everywhere = text(ROOT / "src-tauri/src", "**/*.rs") + text(ROOT / "plugins", "**/*.rs", "**/*.swift")
        self.assertEqual(everywhere.count("document_dir()"), 1, "exports")
        self.assertNotIn(".documentDirectory", everywhere)

    def test_the_system_knows_each_language_of_the_page(self):
        names = {"zh-CN": "zh-Hans", "zh-TW": "zh-Hant", "en": "en"}
        pages = {it.stem for it in ROOT.glob("ui/messages/*.json")}
        self.assertEqual(set(self.info["CFBundleLocalizations"]), {names[it] for it in pages})

    def test_what_apple_wants_a_reason_for_has_one(self):
        """https://developer.apple.com/documentation/bundleresources/describing-use-of-required-reason-api"""
        told = plistlib.loads((ROOT / "src-tauri/ios/PrivacyInfo.xcprivacy").read_bytes())
        self.assertIs(told["NSPrivacyTracking"], False)
        self.assertEqual(told["NSPrivacyTrackingDomains"], [])
        kinds = {it["NSPrivacyAccessedAPIType"]: it["NSPrivacyAccessedAPITypeReasons"] for it in told["NSPrivacyAccessedAPITypes"]}
        category = "NSPrivacyAccessedAPICategory"
        # Of Rust's standard library, which asks for a file's size so: the app's own, and one that the person chose.
        reasons = {f"{category}FileTimestamp": ["C617.1", "3B52.1"]}
        swift = "".join(text(pathlib.Path(it), "**/*.swift") for it in os.environ.get("TAPFILL_SWIFT", "").split(os.pathsep) if it)
        swift += text(PLUGIN, "ios/Sources/**/*.swift")
        for name, used, reason in (
            ("SystemBootTime", r"\bsystemUptime\b|\bmach_absolute_time\b", "35F9.1"),
            ("UserDefaults", r"\b(?:NS)?UserDefaults\b|@AppStorage", "CA92.1"),
            ("DiskSpace", r"\bvolumeAvailableCapacity\w*|\bvolumeTotalCapacity\w*|\bsystemFreeSize\b|\bstatv?fs\b", "E174.1"),
            ("ActiveKeyboards", r"\bactiveInputModes\b", "3EC4.1"),
        ):
            if re.search(used, swift):
                reasons[category + name] = [reason]
        self.assertEqual(kinds, reasons)

    def test_what_the_bank_keeps_of_a_person_is_told(self):
        told = plistlib.loads((ROOT / "src-tauri/ios/PrivacyInfo.xcprivacy").read_bytes())
        kept = [it.pop("NSPrivacyCollectedDataType").removeprefix("NSPrivacyCollectedDataType") for it in told["NSPrivacyCollectedDataTypes"]]
        self.assertEqual(kept, ["PhoneNumber", "PaymentInfo", "DeviceID"])
        purpose = ["NSPrivacyCollectedDataTypePurposeAppFunctionality"]
        ours = {"NSPrivacyCollectedDataTypeLinked": True, "NSPrivacyCollectedDataTypeTracking": False, "NSPrivacyCollectedDataTypePurposes": purpose}
        for it in told["NSPrivacyCollectedDataTypes"]:
            self.assertEqual(it, ours)

    def test_the_entitlement_is_for_tags(self):
        entitled = plistlib.loads((ROOT / "src-tauri/ios/tapfill.entitlements").read_bytes())
        self.assertEqual(entitled, {"com.apple.developer.nfc.readersession.formats": ["TAG"]})


# Each name of a type in the three languages, as one.
TYPES = {
    **dict.fromkeys(("u8", "u32", "u64", "Int", "Long", "UInt64"), "number"),
    **dict.fromkeys(("bool", "Boolean", "Bool"), "truth"),
    **dict.fromkeys(("String", "&'static str", "Stop", "Confirmed", "Nfc", "Why", "Kind"), "word"),
}


def plain(name):
    """A type without the language's way to write it."""
    name = name.strip().removeprefix("var ")
    for pattern, shape in ((r"Option<(.*)>|(.*)\?", "{}?"), (r"(?:Vec|List)<(.*)>|\[(.*)\]", "[{}]")):
        found = re.fullmatch(pattern, name)
        if found:
            return shape.format(plain(found.group(1) or found.group(2)))
    return TYPES.get(name, name.split("<")[0])


def camel(name):
    return re.sub(r"_(\w)", lambda it: it.group(1).upper(), name)


def of_rust(source, name):
    """The members of a struct as they cross, with what their types come to."""
    attributes, body = re.search(rf"((?:#\[[^\n]*\]\n)*)(?:pub(?:\([^)]*\))? )?struct {name} \{{\n(.*?)\n\}}", source, re.S).groups()
    members = re.findall(r"^    (?:pub(?:\([^)]*\))? )?(\w+): (.+),$", body, re.M)
    respell = camel if "camelCase" in attributes else str
    return {respell(member): plain(kind) for member, kind in members}


def of_kotlin(source, name):
    body = re.search(rf"^class {name}(?: \{{\n(.*?)\n\}}|\((.*?)\)$)", source, re.S | re.M)
    members = re.findall(r"va[lr] (\w+): ([\w<>?]+)", body.group(1) or body.group(2))
    return {member: plain(kind) for member, kind in members}


def of_swift(source, name):
    body = re.search(rf"struct {name}: [\w, ]+ \{{\n(.*?)\n\}}", source, re.S).group(1)
    members = re.findall(r"^  (?:public )?(?:let|var) (\w+): ([\w\[\]?]+)", body, re.M)
    return {member: plain(kind) for member, kind in members}


def kebab(variants):
    return [re.sub(r"(?<!^)([A-Z])", r"-\1", it).lower() for it in variants]


class Bridge(unittest.TestCase):
    """Kotlin, Swift and Rust spell the same words."""

    def setUp(self):
        self.kotlin = text(PLUGIN, "android/src/main/**/*.kt")
        self.swift = text(PLUGIN, "ios/Sources/**/*.swift")
        # What plays a phone speaks for nobody.
        phone = ROOT / "crates/card-link/src/phone"
        self.rust = text(phone, "[!st]*.rs") + text(PLUGIN, "src/*.rs")

    def variants(self, name):
        body = re.search(rf"enum {name} \{{(.*?)\n\}}", self.rust, re.S).group(1)
        return kebab(re.findall(r"^    ([A-Z]\w*)(?: \{.*\})?,", body, re.M))

    def test_arguments_and_answers_have_the_same_members_of_the_same_types(self):
        """A member of another name is left out without a word, by Kotlin at least: with goOn a batch would go on after
        every status word, with secret a password would be photographed."""
        pairs = {
            "Watch": "WatchArgs",
            "Begin": "BeginArgs",
            "Begun": "Begun",
            "Transceive": "TransceiveArgs",
            "Order": "Order",
            "Batch": "BatchAnswer",
            "Release": "ReleaseArgs",
            "End": "EndArgs",
            "Screen": "ScreenArgs",
            "Power": "Power",
            "Wanted": "CodeArgs",
            "Code": "Code",
            "Answer": "Confirmed",
        }
        of_android_alone = {"presenceCheckMs", "about"}
        for rust, other in pairs.items():
            members = of_rust(self.rust, rust)
            self.assertTrue(members, rust)
            self.assertEqual(of_kotlin(self.kotlin, other), members, f"{other} of Kotlin")
            members = {name: kind for name, kind in members.items() if name not in of_android_alone}
            if members:
                self.assertEqual(of_swift(self.swift, other), members, f"{other} of Swift")
        self.assertLessEqual(set(re.findall(r"parseArgs\((\w+)(?:::class|\.self)", self.kotlin + self.swift)), set(pairs.values()))

    def test_what_the_phone_tells_has_the_same_words_and_members(self):
        kinds = self.variants("PhoneEvent")
        self.assertEqual(kinds, ["state", "tag", "lost", "closed"])
        body = re.search(r"enum PhoneEvent \{(.*?)\n\}", self.rust, re.S).group(1)
        heard = {name: plain(kind) for name, kind in re.findall(r"(\w+): (\w+)", body)}
        for told in (of_kotlin(self.kotlin, "PhoneEvent"), of_swift(self.swift, "PhoneEvent")):
            self.assertEqual(told.pop("kind"), "word")
            self.assertEqual({name: kind.rstrip("?") for name, kind in told.items()}, heard)
        # iOS alone closes a session by itself.
        self.assertEqual(set(re.findall(r'PhoneEvent\("(\w+)"', self.kotlin)), set(kinds) - {"closed"})
        cases = re.search(r"enum Kind: String, Encodable \{\n    case (.*)\n", self.swift).group(1)
        self.assertEqual(cases.split(", "), kinds)

    def test_the_states_of_nfc_and_the_ends_of_a_session_are_the_same(self):
        states = set(self.variants("Nfc"))
        android = re.search(r"override fun state\(\): String \{(.*?)\n    \}", self.kotlin, re.S).group(1)
        self.assertEqual(set(re.findall(r'"([a-z-]+)"', android)), states)
        ios = re.search(r"var state: String \{\n(.*?)\n  \}", self.swift, re.S).group(1)
        self.assertEqual(set(re.findall(r'"([a-z-]+)"', ios)), states - {"off"}, "iOS has no switch")
        reason = re.search(r"func reason\(_ code: Int\) -> String \{(.*?)\n\}", self.swift, re.S).group(1)
        self.assertEqual(re.findall(r'return "([a-z-]+)"', reason), self.variants("Why"))

    def test_the_state_of_nfc_is_asked_anew_when_the_app_comes_back(self):
        ios = re.search(r"func watch\(.*?\n  \}\n\n", self.swift, re.S).group(0)
        self.assertRegex(ios, r"didBecomeActiveNotification[^{]*\{ \[weak self\] _ in\s+self\?\.queue\.async \{ self\?\.desk\.tellState\(\) \}")
        android = re.search(r"fun resume\(\) \{(.*?)\n    \}", self.kotlin, re.S).group(1)
        self.assertIn("switched()", android)

    def test_a_refusal_has_a_code_that_rust_knows(self):
        begin = re.search(r"\nasync fn begin\(.*?\n\}", self.rust, re.S).group(0)
        known = set(re.findall(r'Some\("([a-z]+)"\)', begin))
        self.assertEqual(known, {"busy", "off", "none"})
        for refused in (re.findall(r'Refused\("([a-z]+)"\)', self.kotlin), re.findall(r'Refused\("([a-z]+)"\)', self.swift)):
            self.assertEqual(set(refused), {"busy"}, "the others are states of NFC")
        self.assertIn('reject(refused.code, refused.code)', self.kotlin)
        self.assertEqual(self.swift.count("reject("), self.swift.count("reject(refused.code, code: refused.code)"))

    def test_the_answers_to_who_is_there_are_the_same_three(self):
        answers = set(self.variants("Confirmed"))
        person = re.search(r"class Person\(.*?\n\}", self.kotlin, re.S).group(0)
        self.assertEqual(set(re.findall(r'"(yes|no|unable|[a-z-]+)"', person)), answers)
        swift = re.search(r"struct Confirmed.*?\n\}", self.swift, re.S).group(0)
        self.assertEqual(set(re.findall(r'"([a-z-]+)"', swift)), answers)

    def test_each_command_is_there_on_both(self):
        ways = r"(?:call(?:::<\w+>)?|run_mobile_plugin_async::<Value>|Newest::new)"
        called = set(re.findall(rf'{ways}\(\s*(?:bridge, |behind\.clone\(\), )?"(\w+)"', self.rust))
        self.assertEqual(called, {"begin", "transceive", "release", "end", "watch", "screen", "power", "code", "confirm"})
        for command in called:
            self.assertRegex(self.kotlin, rf"@Command\n    fun {command}\(invoke: Invoke\)")
            self.assertIn(f"@objc public func {command}(_ invoke: Invoke)", self.swift)

    def test_a_message_is_known_by_the_words_that_the_bank_puts_behind_the_code(self):
        server = ROOT / "crates/bank/src/http/security"
        worded = r'"\[\{\}\] Code \{code\} (.*?\.) Valid \{\} min\.'
        told = {re.search(worded, (server / name).read_text()).group(1) for name in ("sms.rs", "queue.rs")}
        phone = (ROOT / "src-tauri/src/phone.rs").read_text()
        self.assertEqual(set(re.findall(r'about: format!\(\s*"(.*?)"', phone)), told)
        pattern = re.search(r'Regex\("(.*?)" \+ Regex\.escape\(about\)\)', self.kotlin).group(1)
        self.assertEqual(pattern, r"\\bCode ([0-9]{6}) ")

    def test_the_words_over_the_page_are_in_its_languages(self):
        pages = {it.stem for it in ROOT.glob("ui/messages/*.json")}
        settings = (ROOT / "crates/ipc/src/settings.rs").read_text()
        choice = re.search(r"pub enum Language \{(.*?)\}", settings, re.DOTALL).group(1)
        self.assertEqual(pages, set(re.findall(r'rename = "([a-z]{2}(?:-[A-Z]{2})?)"', choice)), "what may be chosen")
        for words in (self.kotlin, self.swift):
            spoken = re.search(r"(?:all = mapOf\(|let all = \[)(.*?)[)\]]", words).group(1)
            self.assertEqual(pages, set(re.findall(r'"([\w-]+)"', spoken)))

    def test_the_reasons_to_stop_are_the_same_six(self):
        stops = ["done", "status-word", "tag-lost", "timeout", "closed", "io"]
        self.assertEqual(self.variants("Stop"), stops)
        for stop in stops:
            self.assertIn(f'"{stop}"', self.kotlin)
        cases = re.search(r"enum Stop: String, Encodable \{(.*?)\n\}", self.swift, re.S).group(1)
        spelled = [it[1] or it[0] for it in re.findall(r'case (\w+)(?: = "([\w-]+)")?', cases)]
        self.assertEqual(spelled, stops)


if __name__ == "__main__":
    unittest.main()
