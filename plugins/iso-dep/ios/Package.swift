// swift-tools-version:5.5

import PackageDescription

let package = Package(
  name: "tauri-plugin-iso-dep",
  platforms: [
    .macOS(.v10_13),
    .iOS(.v14),
  ],
  products: [
    .library(
      name: "tauri-plugin-iso-dep",
      type: .static,
      targets: ["tauri-plugin-iso-dep"])
  ],
  dependencies: [
    .package(name: "Tauri", path: "../.tauri/tauri-api")
  ],
  targets: [
    // No class of the system in here: `swift test` runs its tests on any Mac.
    .target(name: "IsoDepCore", path: "Sources/Core"),
    .target(
      name: "tauri-plugin-iso-dep",
      dependencies: [.byName(name: "Tauri"), "IsoDepCore"],
      path: "Sources/Plugin"),
    .testTarget(
      name: "CoreTests",
      dependencies: ["IsoDepCore"],
      path: "Tests/CoreTests"),
  ]
)
