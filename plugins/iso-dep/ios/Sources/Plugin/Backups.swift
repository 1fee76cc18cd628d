import Foundation

/// Keeps journal, settings, packages and log out of the backups of iCloud and of computers: the keys stay on this phone,
/// and so does what they belong to. Rust keeps all of it below this one folder. Said at each start, as Apple asks.
func keepOutOfBackups() {
  let files = FileManager.default
  guard var folder = files.urls(for: .applicationSupportDirectory, in: .userDomainMask).first else { return }
  var values = URLResourceValues()
  values.isExcludedFromBackup = true
  // At the very first start it is not there yet.
  try? files.createDirectory(at: folder, withIntermediateDirectories: true)
  try? folder.setResourceValues(values)
}
