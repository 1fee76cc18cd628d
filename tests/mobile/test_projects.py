"""What the projects for Android and iOS must say, or the code in them can't work. Standard library alone.

TAPFILL_ANDROID names the Android project as it is after a build, with what build scripts added.
"""

import json
import os
import pathlib
import plistlib
import re
import unittest
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[2]
ANDROID = pathlib.Path(os.environ.get("TAPFILL_ANDROID", ROOT / "gen/android"))
A = "{http://schemas.android.com/apk/res/android}"


def parsed(*path):
    return xml.parse(ANDROID.joinpath("app/src", *path)).getroot()


class Android(unittest.TestCase):
    def setUp(self):
        self.manifest = parsed("main/AndroidManifest.xml")
        self.application = self.manifest.find("application")

    def test_permissions_are_those_that_the_code_needs_and_no_more(self):
        asked = {it.get(A + "name") for it in self.manifest.iter("uses-permission")}
        self.assertEqual(asked, {"android.permission.INTERNET", "android.permission.NFC"})

    def test_a_device_without_nfc_may_install_it(self):
        features = {it.get(A + "name"): it.get(A + "required") for it in self.manifest.iter("uses-feature")}
        self.assertEqual(features, {"android.hardware.nfc": "false"})

    def test_no_tag_starts_the_app(self):
        actions = [it.get(A + "name") for it in self.manifest.iter("action")]
        self.assertEqual(actions, ["android.intent.action.MAIN"])
        self.assertEqual(list(self.manifest.iter("meta-data")), [])

    def test_activity_and_identifier_are_those_that_rust_looks_for(self):
        self.assertIn("class MainActivity : TauriActivity()", (ANDROID / "app/src/main/java/org/tapfill/app/MainActivity.kt").read_text())
        config = json.loads((ROOT / "tauri.conf.json").read_text())
        gradle = (ANDROID / "app/build.gradle.kts").read_text()
        self.assertIn(f'applicationId = "{config["identifier"]}"', gradle)

    def test_no_backup_takes_the_journal_along(self):
        self.assertEqual(self.application.get(A + "allowBackup"), "false")
        self.assertEqual(self.application.get(A + "fullBackupContent"), "false")
        self.assertEqual(self.application.get(A + "dataExtractionRules"), "@xml/data_extraction")
        rules = parsed("main/res/xml/data_extraction.xml")
        for way in ("cloud-backup", "device-transfer"):
            left_out = {it.get("domain") for it in rules.find(way)}
            self.assertEqual(left_out, {"root", "file", "database", "sharedpref", "external"}, way)

    def test_a_release_speaks_no_clear_text(self):
        self.assertEqual(self.application.get(A + "networkSecurityConfig"), "@xml/network_security")
        base = parsed("main/res/xml/network_security.xml").find("base-config")
        self.assertEqual(base.get("cleartextTrafficPermitted"), "false")
        self.assertEqual([it.get("src") for it in base.iter("certificates")], ["system"])

    def test_a_rotation_and_a_larger_font_do_not_end_the_activity(self):
        activity = self.application.find("activity")
        survives = set(activity.get(A + "configChanges").split("|"))
        self.assertLessEqual({"orientation", "screenSize", "smallestScreenSize", "uiMode", "fontScale", "locale"}, survives)
        self.assertEqual(activity.get(A + "launchMode"), "singleTask")

    def test_the_systems_that_it_is_for(self):
        gradle = (ANDROID / "app/build.gradle.kts").read_text()
        self.assertIn("minSdk = 24", gradle)
        self.assertRegex(gradle, r"targetSdk = 3[5-9]")

    def test_r8_keeps_what_tauri_finds_by_name(self):
        """Each class that crosses to Rust is public and annotated, and the rule names their package."""
        rules = (ROOT / "plugins/iso-dep/android/consumer-rules.pro").read_text()
        self.assertIn("-keep class org.tapfill.isodep.IsoDepPlugin { *; }", rules)
        self.assertIn("@app.tauri.annotation.InvokeArg public class org.tapfill.isodep.**", rules)
        messages = (ROOT / "plugins/iso-dep/android/src/main/java/org/tapfill/isodep/Messages.kt").read_text()
        classes = re.findall(r"(@InvokeArg\n)?((?:\w+ )*)class (\w+)", messages)
        self.assertGreater(len(classes), 5)
        for annotation, modifiers, name in classes:
            self.assertTrue(annotation, f"{name} is not annotated")
            self.assertEqual(modifiers, "", f"{name} is not public")


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

    def test_the_entitlement_is_for_tags(self):
        entitled = plistlib.loads((ROOT / "src-tauri/ios/tapfill.entitlements").read_bytes())
        self.assertEqual(entitled, {"com.apple.developer.nfc.readersession.formats": ["TAG"]})


class Bridge(unittest.TestCase):
    """Kotlin, Swift and Rust spell the same words."""

    def setUp(self):
        plugin = ROOT / "plugins/iso-dep"
        self.kotlin = "".join(it.read_text() for it in sorted(plugin.glob("android/src/main/**/*.kt")))
        self.swift = "".join(it.read_text() for it in sorted(plugin.glob("ios/Sources/**/*.swift")))
        self.rust = "".join(it.read_text() for it in sorted((ROOT / "crates/card-link/src/phone").glob("*.rs")))

    def test_each_command_is_there_on_both(self):
        rust = self.rust + "".join(it.read_text() for it in sorted((ROOT / "plugins/iso-dep/src").glob("*.rs")))
        called = set(re.findall(r'(?:call(?:::<\w+>)?|run_mobile_plugin_async::<Value>)\(\s*(?:bridge, )?"(\w+)"', rust))
        self.assertLessEqual({"begin", "transceive", "end", "watch", "screen", "code", "confirm"}, called)
        for command in called:
            self.assertRegex(self.kotlin, rf"@Command\n    fun {command}\(invoke: Invoke\)")
            self.assertIn(f"@objc public func {command}(_ invoke: Invoke)", self.swift)

    def test_the_words_over_the_page_are_in_its_languages(self):
        pages = {it.stem for it in ROOT.glob("ui/messages/*.json")}
        view = (ROOT / "crates/ipc/src/view.rs").read_text()
        self.assertEqual(pages, set(re.findall(r'rename = "([a-z]{2}(?:-[A-Z]{2})?)"', view)), "what may be chosen")
        for words in (self.kotlin, self.swift):
            spoken = re.search(r"(?:all = mapOf\(|let all = \[)(.*?)[)\]]", words).group(1)
            self.assertEqual(pages, set(re.findall(r'"([\w-]+)"', spoken)))

    def test_the_reasons_to_stop_are_the_same_six(self):
        stops = ["done", "status-word", "tag-lost", "timeout", "closed", "io"]
        body = re.search(r"enum Stop \{(.*?)\n\}", self.rust, re.S).group(1)
        variants = re.findall(r"^    ([A-Z]\w+),", body, re.M)
        kebab = [re.sub(r"(?<!^)([A-Z])", r"-\1", it).lower() for it in variants]
        self.assertEqual(kebab, stops)
        for stop in stops:
            self.assertIn(f'"{stop}"', self.kotlin)
        cases = re.search(r"enum Stop: String, Encodable \{(.*?)\n\}", self.swift, re.S).group(1)
        spelled = [it[1] or it[0] for it in re.findall(r'case (\w+)(?: = "([\w-]+)")?', cases)]
        self.assertEqual(spelled, stops)


if __name__ == "__main__":
    unittest.main()
