/// What the system shows over the page in our name, so its words are here.
public struct Words: Equatable {
  public let hold: String
  public let again: String
  public let several: String
  public let confirm: String

  /// The languages of the page, under the names that it has for them.
  static let all = ["zh-CN": simplified, "zh-TW": traditional, "en": english]

  /// `chosen` in the app, or else the first that is known of `preferred`, as in `Locale.preferredLanguages`.
  public static func of(_ chosen: String?, _ preferred: [String]) -> Words {
    if let chosen = chosen, let words = all[chosen] { return words }
    return preferred.lazy.compactMap(ofSystem).first ?? simplified
  }

  /// Chinese of the script that is told, or else of the region.
  private static func ofSystem(_ tag: String) -> Words? {
    let parts = tag.split(separator: "-").map(String.init)
    switch parts.first {
    case "en": return english
    case "zh":
      if parts.contains("Hans") { return simplified }
      let old = ["Hant", "TW", "HK", "MO"].contains { parts.contains($0) }
      return old ? traditional : simplified
    default: return nil
    }
  }

  static let simplified = Words(
    hold: "请将卡片贴在手机顶部，不要移动",
    again: "卡片已离开，请重新贴卡",
    several: "请只贴一张卡片",
    confirm: "确认是您本人，打开您的卡片")

  static let traditional = Words(
    hold: "請將卡片貼在手機頂部，不要移動",
    again: "卡片已離開，請重新貼卡",
    several: "請只貼一張卡片",
    confirm: "確認是您本人，打開您的卡片")

  static let english = Words(
    hold: "Hold the card to the top of the phone and keep it still",
    again: "The card left. Hold it there again",
    several: "One card at a time, please",
    confirm: "Confirm that it is you, to open your cards")
}
